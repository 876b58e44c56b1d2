/* SPDX-License-Identifier: MIT
 *
 * berth_distro — the list of distros, and work on one as a whole. A part of the public interface
 * (berth.h).
 */
#pragma once

#include "berth_handle.h"

G_BEGIN_DECLS

/* Whether a distro may be called @name. Errors: "name.invalid". */
bool berth_check_name(const char *name, GError **error);

/* Stop @name by force and delete it with its disk. Errors: "distro.not-found"; "distro.busy" if
 * another command works on it, as for all functions below. */
bool berth_unregister(Berth *berth, const char *name, GError **error);

/* Clone the distro @source as @name; one that runs stands still meanwhile. The disks share blocks
 * if the host's file system can; the clone creates a machine-id and host keys of its own at its
 * first start. Errors: also "name.invalid", "registry.exists", "suspend.*", "clone.*". */
bool berth_clone(Berth *berth, const char *source, const char *name, BerthWorkFunc progress,
                 gpointer user_data, GError **error);

/* The same with the memory of @source, which runs, is suspended or parked: the clone is parked, and
 * goes on where it was at its start (berth_connect). Errors: also BERTH_ERROR_NOT_RUNNING,
 * "clone.stopped"; BERTH_ERROR_INVALID, "clone.memory" if a setting, QEMU or the kernel has changed
 * since @source was started; "park.*". */
bool berth_clone_live(Berth *berth, const char *source, const char *name, BerthWorkFunc progress,
                      gpointer user_data, GError **error);

/* Rename a distro; its host name changes at its next start. Errors: also "name.invalid",
 * "registry.exists". */
bool berth_rename(Berth *berth, const char *name, const char *new_name, GError **error);

/* Move the disk of the stopped distro @name to @directory, or back to the data directory if NULL.
 * Errors: also "instance.running", "move.*". */
bool berth_move(Berth *berth, const char *name, const char *directory, BerthWorkFunc progress,
                gpointer user_data, GError **error);

/* Resize the disk of @name to @size bytes. A running distro grows at once, a stopped one at its
 * next start; only a stopped one can shrink. Errors: also "instance.running", "resize.*". */
bool berth_resize(Berth *berth, const char *name, guint64 size, BerthWorkFunc progress,
                  gpointer user_data, GError **error);

/* Return the unused blocks of the stopped distro @name to the host. Outputs: the host's bytes that
 * the disk occupies before and after. Errors: also "instance.running", "compact.*". */
bool berth_compact(Berth *berth, const char *name, BerthWorkFunc progress, gpointer user_data,
                   guint64 *ret_before, guint64 *ret_after, GError **error);

/* Errors: "distro.not-found". */
bool berth_set_default(Berth *berth, const char *name, GError **error);

/* The names of all distros, the default first, without asking after their states; free with
 * g_strfreev. */
char **berth_distro_names(Berth *berth, GError **error);

/* The name of the distro with this id, in braces or not; free with g_free. Errors:
 * "distro.not-found". */
char *berth_resolve_id(Berth *berth, const char *id, GError **error);

/* The registered spelling of @name; free with g_free. Errors: "distro.not-found", "distro.none",
 * "distro.no-default". */
char *berth_resolve(Berth *berth, const char *name, GError **error);

typedef struct {
    char *name;
    char *id;
    guint slot;    /* unique, in 127.0.SLOT.1; 0: all are used */
    char *address; /* the loopback address for this distro's ports only; or NULL */
    bool is_default;
    bool autostart;         /* starts with the user's systemd */
    char *disk;             /* path of the image; NULL during an import */
    guint64 disk_size;      /* as the guest sees it */
    guint64 disk_used;      /* on the host */
    guint64 snapshots_used; /* the same of its snapshots, including shared blocks */
    gint64 created_usec;
    char *template; /* of a throw-away clone: the distro it is a clone of; or NULL */

    char *state; /* "stopped", "starting", "running", "paused", "suspending", "suspended", "parked",
                    "waking", "stopping" or "unresponsive"; or the work of a command on it:
                    "importing", "exporting", "cloning", "renaming", "moving", "resizing",
                    "compacting", "snapshotting", "restoring", "removing", "busy" */
    char *reason;        /* why it is paused, or not parked; or NULL */
    guint holder_pid;    /* of the command that works on it, or 0 */
    gint64 started_usec; /* 0 when stopped; likewise all below */
    gint64 uptime_usec;  /* includes suspends of the host, excludes steps of its clock */
    char *accel;         /* "kvm", "tcg", or "" */
    guint64 memory_used; /* of the host, by the guest */
    guint sessions;
    guint keeper_pid, qemu_pid;
    char *kernel;      /* uname -r, or "" */
    char *init;        /* "systemd", "berth", ... or "" */
    char *init_status; /* "running", "degraded", ... or "" */
    gint64 due_usec;   /* time of day at which a timer of the distro's is due, for which it wakes or
                          is awake; 0: none is known */
    char *due_name;    /* which; or NULL */
    guint16 *ports;    /* open on localhost */
    guint n_ports;
} BerthInfo;

void berth_info_free(BerthInfo *info);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthInfo, berth_info_free)

/* All distros, BerthInfo *, the default first, then by name; free with g_ptr_array_unref. Starts
 * nothing, and returns within seconds even if keepers do not answer. */
GPtrArray *berth_list(Berth *berth, GError **error);

G_END_DECLS
