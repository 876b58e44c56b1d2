/* SPDX-License-Identifier: MIT
 *
 * berth — the public interface: distros, each in a small virtual machine of its own.
 *
 * A Berth is a handle on one user's distros; it holds no running thing. All functions block.
 * Distros are named by their names, compared without case; where NULL is allowed it means the
 * default distro, or the only one. Unless said otherwise functions fail with a GError of domain
 * BERTH_ERROR (base/error.h), which carries a stable id and often a hint, and touch their outputs
 * only on success.
 *
 * Sizes are bytes, times are microseconds of real time. Strings in structs are owned by the struct.
 * A Berth is for one thread at a time. No ABI is promised before 1.0.
 */
#pragma once

#include "base/error.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct Berth Berth;

/* For the user and places @environment ("K=V" strings) describes. Nothing is made or opened yet.
 * Errors: "layout.home". */
Berth *berth_new(const char *const *environment, GError **error);
void berth_free(Berth *berth);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Berth, berth_free)

/* Call @line with a notice when a call waits for a distro that is paused because the host refuses
 * its writes, and when it resumes. From any thread in which a call waits. */
void berth_set_waiting(Berth *berth, void (*line)(const char *line, gpointer user_data),
                       gpointer user_data);

/* Call @line once, with each line of berth.conf that has no effect, when a call reads the settings
 * and they are good otherwise. In the caller's thread. */
void berth_set_warning(Berth *berth, void (*line)(const char *line, gpointer user_data),
                       gpointer user_data);

/* "0.1.0" */
const char *berth_version(void);

/* Of the protocol between host and guest, and of that between berth and a distro's keeper. */
guint berth_protocol_version(void);
guint berth_control_version(void);

/* --- distros --- */

/* How far an import is; @bytes_total is 0 when it is not known, the bytes are the archive's.
 * Returning false cancels. */
typedef bool (*BerthImportFunc)(guint64 bytes_done, guint64 bytes_total, guint64 entries,
                                gpointer user_data);

/* Whether a distro may be called @name. Errors: "name.invalid". */
bool berth_check_name(const char *name, GError **error);

typedef struct {
    const char *name;     /* of the distro */
    int fd;               /* the tar archive */
    const char *origin;   /* what to call it in messages */
    const char *path;     /* its absolute path, or NULL */
    guint64 size;         /* of the disk, as the guest sees it; 0: the setting */
    guint64 inodes;       /* how many files it is to have room for; 0: by its size */
    bool strip_root;      /* the root lies below the archive's one directory */
    bool no_user;         /* make no account for this user in it (root never gets one) */
    bool oobe;            /* let the distro's own first-run command make it */
    const char *location; /* absolute: the directory for the disk; NULL: with berth's data */
    const char *cloud;    /* path of the user-data for its cloud-init; NULL: that does not run */
    BerthImportFunc progress;
    void (*notice)(const char *text, gpointer user_data); /* a line for the user */
    gpointer user_data;
} BerthImport;

typedef struct {
    guint64 entries;   /* of the archive */
    guint64 bytes;     /* of it, as it is compressed */
    guint64 disk_used; /* by the disk, on the host */
    bool from_cache;   /* the same archive had been imported before, and was not read */
} BerthImported;

/* Make a distro of an archive. A failure leaves nothing. The first distro becomes the default.
 * Errors: "name.invalid", "registry.exists", "import.*", "user-data.*", "config.*". */
bool berth_import(Berth *berth, const BerthImport *import, BerthImported *ret_imported,
                  GError **error);

typedef struct {
    const char *path; /* of the file to make, which appears when it is whole; NULL: write to @fd */
    int fd;           /* borrowed */
    const char
        *format;  /* "tar", "tar.gz", "tar.xz", "tar.zst" or "ext4"; NULL: by the path's end */
    bool replace; /* a file that is there already */
} BerthExport;

/* How far an export is; the total is an estimate. Returning false cancels. */
typedef bool (*BerthExportFunc)(guint64 bytes_done, guint64 bytes_total, guint64 entries,
                                gpointer user_data);

/* Write the files or the disk of @name, which must be stopped, and cannot be started meanwhile. A
 * failure leaves nothing, and what was to be replaced. *ret_notice is a line for the user, or NULL;
 * free with g_free. Errors: "distro.not-found", "distro.busy", "instance.running", "export.*",
 * "usage.value". */
bool berth_export(Berth *berth, const char *name, const BerthExport *export,
                  BerthExportFunc progress, gpointer user_data, char **ret_notice, GError **error);

/* Make a distro of the ext4 image @import->path, an absolute path, where it lies: nothing is
 * copied, and the file stays when the distro is unregistered. Only name, path, no_user, cloud and
 * note are used. Errors: "name.invalid", "registry.exists", "distro.busy", "import.in-place.*",
 * "user-data.*". */
bool berth_import_in_place(Berth *berth, const BerthImport *import, GError **error);

/* Stop @name at once and delete it with its disk. Errors: "distro.not-found", "distro.busy" when
 * another command works on it, as for all that follow. */
bool berth_unregister(Berth *berth, const char *name, GError **error);

/* How far long work is; @bytes_total is 0 when it is not known. Returning false cancels. */
typedef bool (*BerthWorkFunc)(guint64 bytes_done, guint64 bytes_total, gpointer user_data);

/* Make the distro @name of the stopped distro @source. They share the disk's blocks where the host
 * can do that; the clone gives itself a machine-id and host keys of its own at its first start.
 * Errors: also "name.invalid", "registry.exists", "instance.running", "clone.*". */
bool berth_clone(Berth *berth, const char *source, const char *name, BerthWorkFunc progress,
                 gpointer user_data, GError **error);

/* The host name in the distro follows at its next start.
 * Errors: also "name.invalid", "registry.exists". */
bool berth_rename(Berth *berth, const char *name, const char *new_name, GError **error);

/* Move the disk of the stopped distro @name to @directory, or with NULL back to the data directory.
 * Errors: also "instance.running", "move.*". */
bool berth_move(Berth *berth, const char *name, const char *directory, BerthWorkFunc progress,
                gpointer user_data, GError **error);

/* Make the disk of @name @size bytes. A stopped distro sees more room at its next start, a running
 * one at once; only a stopped one can be made smaller.
 * Errors: also "instance.running", "resize.*". */
bool berth_resize(Berth *berth, const char *name, guint64 size, BerthWorkFunc progress,
                  gpointer user_data, GError **error);

/* Give the space @name does not use back to the host: the bytes its disk takes before and after.
 * Errors: also "instance.running", "compact.*". */
bool berth_compact(Berth *berth, const char *name, BerthWorkFunc progress, gpointer user_data,
                   guint64 *ret_before, guint64 *ret_after, GError **error);

/* Errors: "distro.not-found". */
bool berth_set_default(Berth *berth, const char *name, GError **error);

/* The name as it is registered; free with g_free.
 * Errors: "distro.not-found", "distro.none", "distro.no-default". */
char *berth_resolve(Berth *berth, const char *name, GError **error);

typedef struct {
    char *name;
    char *id;
    guint slot;    /* unique, in 127.0.SLOT.1; 0: none was left */
    char *address; /* of the host's loopback, for its ports alone; or NULL */
    bool is_default;
    char *disk;        /* path of the image; NULL while it is being imported */
    guint64 disk_size; /* as the guest sees it */
    guint64 disk_used; /* on the host */
    gint64 created_usec;

    char *state;      /* "stopped", "starting", "running", "paused", "stopping" or "unresponsive";
                         or what a command is doing with it: "importing", "exporting", "cloning",
                         "renaming", "moving", "resizing", "compacting", "removing", "busy" */
    char *reason;     /* why it is paused; else NULL */
    guint holder_pid; /* of that command, or 0 */
    gint64 started_usec; /* 0 when stopped; also of all below */
    gint64 uptime_usec;  /* counts what the host slept, and no step of its clock */
    char *accel;         /* "kvm", "tcg", or "" */
    guint64 memory_used; /* of the host, by QEMU */
    guint sessions;
    guint keeper_pid, qemu_pid;
    char *kernel;      /* uname -r, or "" */
    char *init;        /* "systemd", "berth", ... or "" */
    char *init_status; /* "running", "degraded", ... or "" */
    guint16 *ports;    /* open on localhost */
    guint n_ports;
} BerthInfo;

void berth_info_free(BerthInfo *info);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthInfo, berth_info_free)

/* All distros, BerthInfo *, the default first, then by name; free with g_ptr_array_unref. Starts
 * nothing, and answers within seconds whatever the keepers do. */
GPtrArray *berth_list(Berth *berth, GError **error);

/* --- the cache of images --- */

typedef struct {
    char *key;
    char *origin;         /* path of the archive */
    guint64 archive_size; /* bytes, compressed */
    guint64 disk_size;    /* as a guest would see it */
    guint64 disk_used;    /* on the host, what is shared with distros too */
    gint64 used_usec;
} BerthCached;

void berth_cached_free(BerthCached *cached);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthCached, berth_cached_free)

/* The images kept for the next import of the same archive, BerthCached *, the one used last first;
 * free with g_ptr_array_unref. Their directory is *@ret_directory, their limit *@ret_limit. */
GPtrArray *berth_cache_images(Berth *berth, char **ret_directory, guint64 *ret_limit,
                              GError **error);

/* Remove what is over the limit and what is broken, with @all everything. *@ret_count images went,
 * of *@ret_freed bytes. Errors: "cache.*", "config.*". */
bool berth_cache_clean(Berth *berth, bool all, guint *ret_count, guint64 *ret_freed,
                       GError **error);

/* --- running --- */

/* A connection to the running distro @name, which is started when it is not; -1 on error. Its guest
 * is up. For berth_run; close it with close(). *@ret_notice is a line for the user about how it was
 * started, or NULL; free with g_free. It may have several lines.
 * Errors: also "disk.*", "machine.*", "template.missing", "config.*", "accel.*", "instance.*". */
int berth_connect(Berth *berth, const char *name, char **ret_notice, GError **error);

/* Another way to start. */
typedef struct {
    bool rescue; /* nothing of the distro's is started, nor touched but its disk mounted, and there
                    is a shell that does not need it; an error when it runs already */
    bool isolated; /* it reaches nothing of the host's until it stops; an error when it runs already
                    */
    bool early;    /* return as soon as the keeper listens: for one berth_run with `bare` */
} BerthStart;

/* As berth_connect. Errors: also "instance.running", "rescue.*". */
int berth_connect_with(Berth *berth, const char *name, const BerthStart *start, char **ret_notice,
                       GError **error);

/* After berth_run has failed with @problem over a connection that was made early: the next start
 * finds out anew what it remembers of the emulator and of KVM, where that may be why. */
void berth_start_failed(Berth *berth, const GError *problem);

typedef struct {
    char *name;       /* "qemu", "kernel", "disk", ... "booted" */
    gint64 end_usec;  /* since QEMU was started */
    gint64 took_usec; /* since the stage before */
    char *problem;    /* what went wrong in it, or NULL */
} BerthStage;

void berth_stage_free(BerthStage *stage);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthStage, berth_stage_free)

/* How the distro behind @connection started, BerthStage *; free with g_ptr_array_unref. */
GPtrArray *berth_stages(int connection, GError **error);

/* The command line with which QEMU would be started; nothing is. Free with g_free. */
char *berth_command_line(Berth *berth, const char *name, char **ret_notice, GError **error);

typedef struct {
    const char *const *argv;        /* NULL or empty: the user's shell */
    const char *const *environment; /* "K=V", added to what the guest sets; may be NULL */
    const char *const *offered;     /* the same, of the client's terminal and locale: each is taken
                                       where the distro knows it */
    const char *user;               /* NULL: the distro's default user */
    const char *cwd;                /* in the guest; NULL: the user's home */
    bool login;                     /* a login shell; without argv, or with @shell */
    bool shell;                     /* argv is a line for the user's shell, and its arguments */
    bool bare;                      /* without a login session, whatever state the distro is in */

    bool tty;                                  /* a pseudo-terminal in the guest, for the streams */
    bool pipe_input, pipe_output, pipe_errors; /* but these */
    bool cooked;         /* our terminal edits lines, echoes, and maps NL to CR NL */
    guint rows, columns; /* of the terminal */

    int input, output, errors; /* input may be -1: nothing to read */
    int terminal; /* output of a terminal that is only the command's stdin; -1: discarded */
    /* The command has begun: returns a signalfd of what to pass on, which is closed, or -1;
     * SIGWINCH is a new size. Until then signals do what they do to any program. May be NULL. */
    int (*begun)(gpointer user_data);
    /* Called before an error because a signal could not be delivered; may be NULL. */
    void (*interrupted)(int number, gpointer user_data);
    void (*get_size)(guint *ret_rows, guint *ret_columns, gpointer user_data);
    void (*resumed)(gpointer user_data); /* SIGCONT, or in the foreground again; may be NULL */
    void (*warn)(const char *text, gpointer user_data); /* a line for the user; may be NULL */
    /* a line of what happens in the distro meanwhile, for one with a terminal; may be NULL */
    void (*notice)(const char *text, gpointer user_data);
    gpointer user_data;
} BerthRun;

/* Run a command over a connection of berth_connect, once. Returns its exit status as a shell would
 * give it: 0..255, 128+n for signal n, 126 and 127 (with @error set) when it could not be executed
 * or found; -1 with @error when there was no command to speak of. */
int berth_run(int connection, const BerthRun *run, GError **error);

typedef struct {
    bool force;    /* do not ask the guest */
    int grace_sec; /* seconds until it is forced; -1: the setting */
    /* called for each one that was not running; may be NULL */
    void (*not_running)(const char *name, gpointer user_data);
    gpointer user_data;
} BerthStop;

/* Stop @names (NULL: all there are), all at once; returns when every one has stopped. One that is
 * not running is no error; the first error is reported when all are done with. */
bool berth_stop(Berth *berth, const char *const *names, const BerthStop *stop, GError **error);

typedef struct {
    char *distro;
    char *protocol;    /* "tcp" or "udp" */
    guint16 port;      /* in the guest */
    guint16 host_port; /* on the host: the same, unless asked for or where that takes privileges */
    char *host;        /* "8080" of localhost, "0.0.0.0:80"; NULL: the same port of localhost */
    char **addresses;  /* of the host on which it is open, in text */
    char *origin;      /* "listener", "rule" or "publish" */
    char *state;       /* "open", "blocked", "ignored" or "wanted" */
    char *owner;       /* the process in the guest, or "" */
    char *reason;      /* why it is not open, or what is not as wanted; or NULL */
} BerthPort;

void berth_port_free(BerthPort *port);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthPort, berth_port_free)

/* The ports that listen in @name (NULL: in every distro that runs), BerthPort *, by distro and
 * port; free with g_ptr_array_unref. Errors: also "instance.not-running". */
GPtrArray *berth_ports(Berth *berth, const char *name, GError **error);

/* Call @func with the same, now and at each change, until it returns false or those that ran at the
 * beginning have stopped. Errors: also "instance.not-running", "instance.lost". */
bool berth_ports_watch(Berth *berth, const char *name,
                       bool (*func)(const GPtrArray *ports, gpointer user_data), gpointer user_data,
                       GError **error);

typedef struct {
    char *distro;
    char *rule;         /* as berth_forward_add takes it */
    char *protocol;     /* "tcp" or "udp" */
    char *host_address; /* NULL: localhost, of both families */
    guint16 host_port, guest_port;
} BerthForwardRule;

void berth_forward_rule_free(BerthForwardRule *rule);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthForwardRule, berth_forward_rule_free)

/* The forwards that were asked for, of @name or all distros, BerthForwardRule *; free with
 * g_ptr_array_unref. */
GPtrArray *berth_forward_list(Berth *berth, const char *name, GError **error);

/* Forward "[HOSTADDRESS:][HOSTPORT:]GUESTPORT[/udp]" whenever @name runs, and now if it does,
 * whether something listens or not. *@ret_notice says what is not as wanted, such as that the
 * host's port is in use, or is NULL; free with g_free. Errors: also "forward.rule",
 * "forward.exists". */
bool berth_forward_add(Berth *berth, const char *name, const char *rule, char **ret_notice,
                       GError **error);
/* Errors: also "forward.rule", "forward.not-found". */
bool berth_forward_remove(Berth *berth, const char *name, const char *rule, GError **error);

/* The path of a unix socket on the host behind which is the Docker daemon of @name, which is
 * started when it is not running; free with g_free. @ret_notice as berth_connect's. Errors: those
 * of berth_connect; "docker.none". */
char *berth_docker_socket(Berth *berth, const char *name, char **ret_notice, GError **error);

/* The path of the console log, which need not be there yet; free with g_free. */
char *berth_log_path(Berth *berth, const char *name, GError **error);

/* --- the host --- */

typedef struct {
    char *name, *value, *initial; /* as text */
    const char *help;             /* static */
} BerthSetting;

void berth_setting_free(BerthSetting *setting);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthSetting, berth_setting_free)

/* The settings as they are for @name, or with NULL for no distro in particular; BerthSetting *,
 * free with g_ptr_array_unref. Errors: also "config.*". */
GPtrArray *berth_settings(Berth *berth, const char *name, GError **error);

typedef struct {
    char *default_distro; /* or NULL */
    guint distros, running;
    guint64 disk_used, memory_used;
    char *emulator; /* path of the QEMU program, or NULL when there is none */
    char *kernel;   /* path of the kernel, or NULL when there is none */
    char *accel;    /* the setting */
    guint64 memory; /* a distro's limit */
    guint cpus;     /* a distro's */
    char *data, *config, *cache, *runtime, *support; /* directories */
} BerthStatus;

void berth_status_free(BerthStatus *status);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthStatus, berth_status_free)

BerthStatus *berth_status(Berth *berth, GError **error);

/* --- ports of the host that distros may reach --- */

typedef struct {
    guint port;         /* 0: all of them */
    const char *origin; /* what allowed it: "berth.conf", "berth host" or "session". Static. */
    bool temporary;     /* until the distro stops */
} BerthHostPort;

typedef struct {
    char *distro;
    bool isolated;    /* by berth.conf: then it reaches none, whatever is allowed */
    char *outbound;   /* the only addresses it may reach; "": all */
    GPtrArray *ports; /* BerthHostPort*, sorted */
} BerthHostAccess;

void berth_host_access_free(BerthHostAccess *access);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthHostAccess, berth_host_access_free)

/* Let @name reach @ports of this host's localhost, or no longer: numbers, or "all". It is
 * remembered and takes effect at once where the distro runs. *@ret_notice is a line for the user,
 * or NULL; free with g_free. Errors: "distro.not-found", "access.*", "host.not-allowed". */
bool berth_host_allow(Berth *berth, const char *name, const char *const *ports, char **ret_notice,
                      GError **error);
bool berth_host_deny(Berth *berth, const char *name, const char *const *ports, char **ret_notice,
                     GError **error);

/* What @name, or with NULL every distro, may reach: BerthHostAccess*. Free with g_ptr_array_unref.
 */
GPtrArray *berth_host_list(Berth *berth, const char *name, GError **error);

/* Let the running distro at the other end of @connection reach one port more until it stops.
 * Errors: "instance.isolated", "access.ports". */
bool berth_host_allow_once(int connection, guint16 port, GError **error);

G_END_DECLS
