/* SPDX-License-Identifier: MIT
 *
 * berth — the public interface: distros, each in a small virtual machine of its own.
 *
 * A Berth is a handle on one user's distros; it keeps no processes or threads. All functions block.
 * Distros are found by name, compared without case; a NULL name, where allowed, means the default
 * distro, or the only one. Unless stated otherwise, functions fail with a GError of domain
 * BERTH_ERROR (base/error.h), which has a stable id and often a hint, and write to their outputs
 * only on success.
 *
 * Sizes are bytes, times are microseconds of real time. Structs own their strings. A Berth is not
 * thread-safe. No ABI is promised before 1.0.
 *
 * The functions of lib/lifecycle take structs of their own, though they are alike: this header
 * shows nothing of lib but base/error.h, and need not follow their changes.
 */
#pragma once

#include "base/error.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct Berth Berth;

/* Make a handle for the user and directories of @environment ("K=V" strings). Creates and opens no
 * file. Errors: "layout.home". */
Berth *berth_new(const char *const *environment, GError **error);
void berth_free(Berth *berth);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Berth, berth_free)

/* Call @line with a notice when a call starts to wait for a distro that is paused because the host
 * rejects its writes, and when the distro resumes. Called in any thread that waits. */
void berth_set_waiting(Berth *berth, void (*line)(const char *line, gpointer user_data),
                       gpointer user_data);

/* Call @line once for each line of berth.conf without effect, when a call first reads valid
 * settings. Called in the caller's thread. */
void berth_set_warning(Berth *berth, void (*line)(const char *line, gpointer user_data),
                       gpointer user_data);

/* "0.1.0" */
const char *berth_version(void);

/* The path of the program of `berth mcp`; free with g_free. */
char *berth_mcp_program(const Berth *berth);

/* The versions of the host-guest protocol, and of the control protocol between berth and a
 * keeper. */
guint berth_protocol_version(void);
guint berth_control_version(void);

/* --- distros --- */

/* Progress of an import in bytes of the archive; @bytes_total is 0 if unknown. Return false to
 * cancel. */
typedef bool (*BerthImportFunc)(guint64 bytes_done, guint64 bytes_total, guint64 entries,
                                gpointer user_data);

/* Whether a distro may be called @name. Errors: "name.invalid". */
bool berth_check_name(const char *name, GError **error);

typedef struct {
    const char *name;     /* of the distro */
    int fd;               /* the tar archive */
    const char *origin;   /* the archive's name in messages */
    const char *path;     /* its absolute path, or NULL */
    guint64 size;         /* of the disk, as the guest sees it; 0: as set in berth.conf */
    guint64 inodes;       /* number of files to make room for; 0: derived from the size */
    bool strip_root;      /* the root file system is below the archive's one top directory */
    const char *image;    /* digits of SHA-256: the container image that the archive must be (its
                             manifest or index); NULL: any archive */
    const char *user;     /* of the account to create; NULL: this user's name */
    bool no_user;         /* create no account for this user (never created for root) */
    bool oobe;            /* the distro's own first-run command creates the account */
    const char *location; /* absolute: the directory for the disk; NULL: berth's data directory */
    const char *cloud;    /* path of user-data for cloud-init; NULL: cloud-init does not run */
    BerthImportFunc progress;
    void (*notice)(const char *text, gpointer user_data); /* a line for the user */
    gpointer user_data;
} BerthImport;

typedef struct {
    guint64 entries;   /* of the archive */
    guint64 bytes;     /* of the compressed archive */
    guint64 disk_used; /* by the disk, on the host */
    bool from_cache;   /* the image was cached, and the archive not read */
} BerthImported;

/* Make a distro from an archive. A failed import leaves nothing. The first distro becomes the
 * default. Errors: "name.invalid", "registry.exists", "import.*", "user-data.*", "config.*". */
bool berth_import(Berth *berth, const BerthImport *import, BerthImported *ret_imported,
                  GError **error);

typedef struct {
    const char *path;   /* the file to create, visible only when complete; NULL: write to @fd */
    int fd;             /* borrowed */
    const char *format; /* "tar", "tar.gz", "tar.xz", "tar.zst" or "ext4"; NULL: by the suffix of
                           the path */
    bool replace;       /* replace an existing file */
} BerthExport;

/* Progress of an export; the total is an estimate. Return false to cancel. */
typedef bool (*BerthExportFunc)(guint64 bytes_done, guint64 bytes_total, guint64 entries,
                                gpointer user_data);

/* Export the files or the disk of the stopped distro @name, which cannot be started meanwhile. A
 * failed export leaves no file, and keeps the one to be replaced. *ret_notice is a line for the
 * user, or NULL; free with g_free. Errors: "distro.not-found", "distro.busy", "instance.running",
 * "export.*", "usage.value". */
bool berth_export(Berth *berth, const char *name, const BerthExport *export,
                  BerthExportFunc progress, gpointer user_data, char **ret_notice, GError **error);

/* Make a distro from the ext4 image at the absolute path @import->path, in place: it is not copied,
 * and unregistering keeps it. Only name, path, no_user, cloud and notice are used. Errors:
 * "name.invalid", "registry.exists", "distro.busy", "import.in-place.*", "user-data.*". */
bool berth_import_in_place(Berth *berth, const BerthImport *import, GError **error);

/* Stop @name by force and delete it with its disk. Errors: "distro.not-found"; "distro.busy" if
 * another command works on it, as for all functions below. */
bool berth_unregister(Berth *berth, const char *name, GError **error);

/* Progress of long work; @bytes_total is 0 if unknown. Return false to cancel. */
typedef bool (*BerthWorkFunc)(guint64 bytes_done, guint64 bytes_total, gpointer user_data);

/* Clone the stopped distro @source as @name. The disks share blocks if the host's file system can;
 * the clone creates a machine-id and host keys of its own at its first start. Errors: also
 * "name.invalid", "registry.exists", "instance.running", "clone.*". */
bool berth_clone(Berth *berth, const char *source, const char *name, BerthWorkFunc progress,
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

typedef struct {
    const char *name;    /* of the check; static */
    const char *verdict; /* "ok", "warning" or "problem"; static */
    bool is_problem;
    char *text;    /* one line */
    char *command; /* that mends it, or what to do; NULL: nothing to do */
    char *fixed;   /* what @fix did about it; or NULL */
} BerthFinding;

void berth_finding_free(BerthFinding *finding); /* NULL is allowed */

/* Examine the host, the installation and this user's data. Needs no handle, and never fails.
 * Changes nothing but the cached proof of the accelerator; with @fix it removes what killed
 * processes left and cached answers, never a disk. @progress (or NULL) gets a line before what
 * takes seconds. Returns BerthFinding *; free with g_ptr_array_unref. */
GPtrArray *berth_doctor(const char *const *environment, bool fix,
                        void (*progress)(const char *line, gpointer user_data), gpointer user_data);

/* The versions of the kernel and the QEMU of a new distro; NULL: not found. Free with g_free. Runs
 * QEMU. */
void berth_versions(Berth *berth, char **ret_kernel, char **ret_emulator);

/* The registered spelling of @name; free with g_free. Errors: "distro.not-found", "distro.none",
 * "distro.no-default". */
char *berth_resolve(Berth *berth, const char *name, GError **error);

typedef struct {
    char *name;
    char *id;
    guint slot;    /* unique, in 127.0.SLOT.1; 0: all are used */
    char *address; /* the loopback address for this distro's ports only; or NULL */
    bool is_default;
    char *disk;             /* path of the image; NULL during an import */
    guint64 disk_size;      /* as the guest sees it */
    guint64 disk_used;      /* on the host */
    guint64 snapshots_used; /* the same of its snapshots, including shared blocks */
    gint64 created_usec;

    char *state; /* "stopped", "starting", "running", "paused", "suspending", "suspended", "waking",
                    "stopping" or "unresponsive"; or the work of a command on it: "importing",
                    "exporting", "cloning", "renaming", "moving", "resizing", "compacting",
                    "snapshotting", "restoring", "removing", "busy" */
    char *reason;        /* why it is paused; or NULL */
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
    guint16 *ports;    /* open on localhost */
    guint n_ports;
} BerthInfo;

void berth_info_free(BerthInfo *info);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthInfo, berth_info_free)

/* All distros, BerthInfo *, the default first, then by name; free with g_ptr_array_unref. Starts
 * nothing, and returns within seconds even if keepers do not answer. */
GPtrArray *berth_list(Berth *berth, GError **error);

/* --- distros to install --- */

typedef struct {
    char *flavour; /* "Ubuntu" */
    char *name;    /* "Ubuntu-24.04", also the new distro's unless the user chooses another; NULL
                      for an URL of the user's */
    char *title;   /* "Ubuntu 24.04 LTS" */
    bool is_default;
    char *url;
    char *image;  /* "docker.io/library/debian:12", a container image of a registry; NULL: a file
                     behind the URL */
    char *sha256; /* lower case, or NULL */
    char *sums;   /* URL of a file with checksums, or NULL */
    char *source; /* the list that has it */
    bool strip_root;
} BerthOnline;

void berth_online_free(BerthOnline *online);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthOnline, berth_online_free)

typedef struct {
    BerthWorkFunc progress;
    void (*notice)(const char *text, gpointer user_data); /* a line for the user */
    gpointer user_data;
} BerthOnlineWatch;

/* List the distros of the user's lists, berth's own descriptions and the public list: BerthOnline*;
 * free with g_ptr_array_unref. A list that cannot be read is a notice. Errors: "config.*",
 * "fetch.cancelled". */
GPtrArray *berth_online(Berth *berth, const BerthOnlineWatch *watch, GError **error);

/* The one called @name, a flavour or a version in any case; or, without any list, the container
 * image "oci:NAME:TAG" or a name with a slash, a colon or an at sign, as docker takes it. Errors:
 * also "offer.not-found", "catalog.offline", "image.reference". */
BerthOnline *berth_online_find(Berth *berth, const char *name, const BerthOnlineWatch *watch,
                               GError **error);

/* Open its file for berth_import: downloaded, or kept from before, with its digest checked. Only
 * url, image, sha256 and sums are used. Of an image, sets sha256 to the digest that berth_import
 * needs for the check (BerthImport.image). *@ret_path is the file's absolute path, or NULL; free
 * with g_free. -1 on error. Errors: "fetch.*". */
int berth_online_open(Berth *berth, BerthOnline *online, const BerthOnlineWatch *watch,
                      char **ret_path, GError **error);

/* Whether a new distro may be called @name. Errors: "name.*", "registry.exists". */
bool berth_online_check_name(Berth *berth, const char *name, GError **error);

/* --- templates of distros --- */

typedef struct {
    char *name;
    char *summary; /* one line, or "" */
    char *path;
} BerthTemplate;

void berth_template_free(BerthTemplate *template); /* NULL is allowed */

/* The user's own templates for "berth up" and berth's, BerthTemplate *, by name; free with
 * g_ptr_array_unref. */
GPtrArray *berth_templates(Berth *berth);

/* The file of the template @name; free with g_free. Errors: "template.not-found". */
char *berth_template_path(Berth *berth, const char *name, GError **error);

/* --- the image cache --- */

typedef struct {
    char *key;
    char *origin;         /* path of the archive */
    guint64 archive_size; /* bytes, compressed */
    guint64 disk_size;    /* as a guest would see it */
    guint64 disk_used;    /* on the host, including blocks shared with distros */
    gint64 used_usec;
} BerthCached;

void berth_cached_free(BerthCached *cached);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthCached, berth_cached_free)

/* The images cached for the next import of the same archive, BerthCached *, most recently used
 * first; free with g_ptr_array_unref. *@ret_directory and *@ret_limit are the cache's directory and
 * limit. */
GPtrArray *berth_cache_images(Berth *berth, char **ret_directory, guint64 *ret_limit,
                              GError **error);

/* Remove images over the limit and broken entries; all images if @all. *@ret_count images of
 * *@ret_freed bytes were removed. Errors: "cache.*", "config.*". */
bool berth_cache_clean(Berth *berth, bool all, guint *ret_count, guint64 *ret_freed,
                       GError **error);

/* --- running --- */

/* Connect to the distro @name, starting it if necessary; returns when its guest is up. Returns a
 * descriptor for berth_run, to be closed with close(); -1 on error. *@ret_notice is one or more
 * lines for the user about the start, or NULL; free with g_free. Errors: also "disk.*",
 * "machine.*", "template.missing", "config.*", "accel.*", "instance.*". */
int berth_connect(Berth *berth, const char *name, char **ret_notice, GError **error);

/* Options of a start. */
typedef struct {
    bool rescue; /* mount the distro's disk but run and change nothing of it, and provide a shell of
                    the host; an error if it is running */
    bool isolated; /* block access to the host until it stops; an error if it is running */
    bool early;    /* return as soon as the keeper listens: for one berth_run with `bare` */
} BerthStart;

/* As berth_connect, with options. Errors: also "instance.running", "rescue.*". */
int berth_connect_with(Berth *berth, const char *name, const BerthStart *start, char **ret_notice,
                       GError **error);

/* Call when berth_run fails with @problem over an early connection: if cached results of probing
 * the emulator or KVM may be the cause, the next start probes again. */
void berth_start_failed(Berth *berth, const GError *problem);

typedef struct {
    char *name;       /* "qemu", "kernel", "disk", ... "booted" */
    gint64 end_usec;  /* since the start of QEMU */
    gint64 took_usec; /* since the previous stage */
    char *problem;    /* what failed in it, or NULL */
} BerthStage;

void berth_stage_free(BerthStage *stage);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthStage, berth_stage_free)

/* The stages of the start of the distro behind @connection, BerthStage *; free with
 * g_ptr_array_unref. */
GPtrArray *berth_stages(int connection, GError **error);

/* The command line with which QEMU would be started. Starts nothing. Free with g_free. */
char *berth_command_line(Berth *berth, const char *name, char **ret_notice, GError **error);

typedef struct {
    const char *const *argv;        /* NULL or empty: the user's shell */
    const char *const *environment; /* "K=V", added to what the guest sets; may be NULL */
    const char *const *offered; /* likewise, from the client's terminal and locale: set only if the
                                   distro supports the value */
    const char *user;           /* NULL: the distro's default user */
    const char *cwd;            /* in the guest; NULL: the user's home */
    bool login;                 /* a login shell; without argv, or with @shell */
    bool shell;                 /* argv is one line for the user's shell, then its arguments */
    bool bare;                  /* without a login session, in any state of the distro */

    bool tty;                                  /* a pseudo-terminal in the guest for the streams */
    bool pipe_input, pipe_output, pipe_errors; /* pipes instead, for these streams */
    bool cooked; /* our terminal is in cooked mode: it edits lines, echoes, and maps NL to CR NL */
    guint rows, columns; /* of the terminal */

    int input, output, errors; /* input may be -1: empty */
    int terminal; /* for terminal output if only the command's stdin is one; -1: discard it */
    /* Called when the command has begun. Returns a signalfd of the signals to pass on, which
     * berth_run closes, or -1; SIGWINCH means a new size. Until then signals have their usual
     * effect. May be NULL. */
    int (*begun)(gpointer user_data);
    /* Called before returning an error because a signal could not be delivered; may be NULL. */
    void (*interrupted)(int number, gpointer user_data);
    void (*get_size)(guint *ret_rows, guint *ret_columns, gpointer user_data);
    /* after SIGCONT or a return to the foreground; may be NULL */
    void (*resumed)(gpointer user_data);
    void (*warn)(const char *text, gpointer user_data); /* a line for the user; may be NULL */
    /* a notice about the distro, for a user with a terminal; may be NULL */
    void (*notice)(const char *text, gpointer user_data);
    gpointer user_data;
} BerthRun;

/* The path in the distro @name, which is behind @connection, of @path on this host; and the
 * reverse. Both may be relative to the working directory, and need not exist; links on this host
 * are followed, those in the distro are not. Absolute; free with g_free. Errors: "path.unshared",
 * "path.no-shares", "path.working-directory.*". */
char *berth_path_to_guest(int connection, const char *name, const char *path, GError **error);
char *berth_path_to_host(int connection, const char *name, const char *path, GError **error);

/* Run a command over a connection of berth_connect, once. Returns its exit status as a shell does:
 * 0..255, 128+n for signal n; 126 and 127, with @error set, if it could not be executed or found;
 * -1 with @error if it was not started. */
int berth_run(int connection, const BerthRun *run, GError **error);

typedef struct {
    bool force;    /* do not ask the guest to power off */
    int grace_sec; /* seconds until it is forced; -1: as set in berth.conf */
    /* called for each distro that was not running; may be NULL */
    void (*not_running)(const char *name, gpointer user_data);
    gpointer user_data;
} BerthStop;

/* Stop the distros @names (NULL: all) in parallel; returns when all have stopped. Stopping one that
 * is not running is not an error. After errors the others are still stopped; the first error is
 * reported. */
bool berth_stop(Berth *berth, const char *const *names, const BerthStop *stop, GError **error);

typedef struct {
    /* called for each distro that was not running; may be NULL */
    void (*not_running)(const char *name, gpointer user_data);
    gpointer user_data;
} BerthSuspend;

/* Suspend the distros @names (NULL: all that run) in parallel; returns when all are. They take no
 * processor time then, and go on at the next command that needs them. Suspending one that is not
 * running is not an error. Errors: "suspend.busy", "suspend.guest", "suspend.timeout", those of
 * QEMU: the distro goes on. As berth_stop, after errors the others are still suspended. */
bool berth_suspend(Berth *berth, const char *const *names, const BerthSuspend *suspend,
                   GError **error);

typedef struct {
    char *distro;
    char *protocol;    /* "tcp" or "udp" */
    guint16 port;      /* in the guest */
    guint16 host_port; /* on the host: the same, unless requested otherwise or privileged */
    char *host;        /* "8080" of localhost, "0.0.0.0:80"; NULL: the same port of localhost */
    char **addresses;  /* of the host on which it is open, as text */
    char *origin;      /* "listener", "rule" or "publish" */
    char *state;       /* "open", "blocked", "ignored" or "wanted" */
    char *owner;       /* the process in the guest, or "" */
    char *reason;      /* why it is not open, or how it deviates from the request; or NULL */
} BerthPort;

void berth_port_free(BerthPort *port);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthPort, berth_port_free)

/* The listening ports of @name (NULL: of every running distro), BerthPort *, by distro and port;
 * free with g_ptr_array_unref. Errors: also "instance.not-running". */
GPtrArray *berth_ports(Berth *berth, const char *name, GError **error);

/* Call @func with that list, now and at each change, until it returns false or all distros that ran
 * at the beginning have stopped. Errors: also "instance.not-running", "instance.lost". */
bool berth_ports_watch(Berth *berth, const char *name,
                       bool (*func)(const GPtrArray *ports, gpointer user_data), gpointer user_data,
                       GError **error);

typedef struct {
    char *distro;
    char *rule;         /* in the syntax of berth_forward_add */
    char *protocol;     /* "tcp" or "udp" */
    char *host_address; /* NULL: localhost, both families */
    guint16 host_port, guest_port;
} BerthForwardRule;

void berth_forward_rule_free(BerthForwardRule *rule);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthForwardRule, berth_forward_rule_free)

/* The forwards defined by the user, of @name or all distros, BerthForwardRule *; free with
 * g_ptr_array_unref. */
GPtrArray *berth_forward_list(Berth *berth, const char *name, GError **error);

/* Forward "[HOSTADDRESS:][HOSTPORT:]GUESTPORT[/udp]" whenever @name runs, at once if it is running,
 * also while nothing listens. *@ret_notice is a problem for the user, such as that the host's port
 * is in use, or NULL; free with g_free. Errors: also "forward.rule", "forward.exists". */
bool berth_forward_add(Berth *berth, const char *name, const char *rule, char **ret_notice,
                       GError **error);
/* Remove such a forward. Errors: also "forward.rule", "forward.not-found". */
bool berth_forward_remove(Berth *berth, const char *name, const char *rule, GError **error);

typedef struct {
    const char *const *sources; /* paths, NULL-terminated; a relative one of a distro starts at the
                                   user's home there */
    int source_connection;      /* of berth_connect, to the distro they are in; -1: this host */
    const char *source_name;    /* of that distro, for messages */
    const char *target; /* as cp(1) has it: an existing directory, or what the one source becomes */
    int target_connection;
    const char *target_name;
    const char *user; /* in the distros; NULL: the default user */
    bool recursive;   /* directories, with all that is in them */
    BerthWorkFunc progress;
    /* A line for the user about an entry. From any thread. */
    void (*line)(const char *text, gpointer user_data);
    gpointer user_data;
} BerthCopy;

/* Copy files between this host and distros. Permissions, times, links, holes and extended
 * attributes of users are kept; the files belong to this user, or to the distro's. What cannot be
 * copied is reported and the rest goes on. The connections are used up. Ignore SIGPIPE before.
 * Errors: "cp.*", "session.*". */
bool berth_copy_files(const BerthCopy *copy, GError **error);

typedef struct {
    int connection;   /* of berth_connect, used up by the call */
    const char *name; /* of the distro, for messages */
    const char *user; /* NULL: the default user */
    const char *path; /* a relative one starts in the user's home */
} BerthFile;

/* Write the size of a distro's file in decimal, a newline and up to @limit bytes from @offset to
 * @output. Errors: "file.open.*", "file.special", "file.read.*", "session.*". */
bool berth_file_read(const BerthFile *file, guint64 offset, guint64 limit, int output,
                     GError **error);

/* Replace or create a distro's file at once with @size bytes of @input; mode and owner stay.
 * Errors: also "file.write.*", "file.input". */
bool berth_file_write(const BerthFile *file, int input, guint64 size, GError **error);

typedef struct {
    const char *name; /* NULL: the default distro */
    const char *path; /* a directory of this host */
    const char *user; /* whose access counts in the distro; NULL: the default user */
    bool start;       /* start the distro at an access when it does not run */
} BerthMount;

/* Mount the distro's files, by a process that serves them until they are unmounted, whether the
 * distro runs or not. Errors: "mount.*"; "session.*". */
bool berth_mount(Berth *berth, const BerthMount *mount, GError **error);

/* Unmount @path, also when that process has ended; with @lazy also while files are in use. Errors:
 * "umount.*"; "mount.fusermount". */
bool berth_umount(const char *path, bool lazy, GError **error);

/* The path of a unix socket on the host that leads to the Docker daemon of @name, which is started
 * if necessary; free with g_free. @ret_notice as for berth_connect. Errors: those of berth_connect;
 * "docker.none". */
char *berth_docker_socket(Berth *berth, const char *name, char **ret_notice, GError **error);

/* "NAME=value" for each service of this host that the settings of @name allow: variables for the
 * distro's programs, which set them only for users who may use the service. Free with g_strfreev.
 */
char **berth_service_variables(Berth *berth, const char *name);

/* --- ssh --- */

/* OpenSSH's configuration for @name, or with NULL for all distros; free with g_free. Makes the keys
 * that are not there. A distro that is named and whose default user was never known is started.
 * *@ret_notice as berth_connect's. Errors: also "ssh.*". */
char *berth_ssh_config(Berth *berth, const char *name, char **ret_notice, GError **error);

typedef struct {
    char *path;   /* of the file that was written */
    char *config; /* the user's file, which includes it */
    bool added;   /* the line there is new */
} BerthSshInstalled;

void berth_ssh_installed_clear(BerthSshInstalled *installed);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthSshInstalled, berth_ssh_installed_clear)

/* Write that of all distros into a file of berth's, and the line that includes it into the user's
 * own. From then on the file follows the distros. Errors: also "ssh.*". */
bool berth_ssh_config_add(Berth *berth, BerthSshInstalled *ret_installed, GError **error);

/* Whether that has been done. */
bool berth_ssh_config_is_added(Berth *berth);

/* Be an ssh client's connection, on the first two of @streams, to @user of @name (or NAME.berth);
 * what the server complains of goes to the third. Errors: also "ssh.*". */
bool berth_ssh_proxy(Berth *berth, const char *name, const char *user, const int streams[3],
                     GError **error);

/* The path of the log of the keeper of the last start, which may not exist; free with g_free. */
char *berth_keeper_log_path(Berth *berth, const char *name, GError **error);

/* The path of the console log, which may not exist yet; free with g_free. */
char *berth_log_path(Berth *berth, const char *name, GError **error);

/* --- the host --- */

typedef enum {
    BERTH_SETTING_DEFAULT,     /* from nowhere */
    BERTH_SETTING_FILE,        /* from [berth] in berth.conf */
    BERTH_SETTING_DISTRO,      /* from [distro NAME] in it */
    BERTH_SETTING_ENVIRONMENT, /* from its variable */
} BerthSettingSource;

typedef struct {
    char *name, *initial;     /* as text; "" where there is none */
    char *value;              /* NULL: not asked for */
    char *allowed;            /* what a value may be: "true or false" */
    char *variable;           /* of the environment */
    const char *help;         /* static */
    const char *const *words; /* the values that are words, static; or NULL */
    bool global;              /* only [berth] may have it */
    bool at_once;             /* running distros follow a change; else their next start does */
    BerthSettingSource source;
    guint line; /* of berth.conf; 0: not from there */
} BerthSetting;

void berth_setting_free(BerthSetting *setting);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthSetting, berth_setting_free)

/* Every key that there is, without a value; BerthSetting *, free with g_ptr_array_unref. */
GPtrArray *berth_settings_known(void);

/* The effective settings of @name, or of no particular distro if NULL; BerthSetting *, free with
 * g_ptr_array_unref. Errors: also "config.*". */
GPtrArray *berth_settings(Berth *berth, const char *name, GError **error);

/* The effective setting @key, or that of WSL's name; an unknown one is "config.key", with what it
 * probably means. */
BerthSetting *berth_setting_get(Berth *berth, const char *name, const char *key, GError **error);

typedef struct {
    char *path;        /* berth.conf */
    char *group;       /* "berth" or "distro NAME" */
    char *key, *value; /* as in the file; value NULL: removed */
    bool changed;      /* the file was otherwise before */
    bool at_once;      /* running distros follow it */
    char *instead;     /* "BERTH_MEMORY in the environment", which wins over the file; or NULL */
} BerthSettingChange;

void berth_setting_change_clear(BerthSettingChange *change);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthSettingChange, berth_setting_change_clear)

/* Write @key = @value into the user's berth.conf, for @name or for all distros (NULL); NULL removes
 * the key. Only that line changes. A key of WSL's .wslconfig is translated. Errors: "config.wsl",
 * "config.key", "config.value", "config.global",
 * "config.syntax", "config.write.*". */
bool berth_setting_set(Berth *berth, const char *name, const char *key, const char *value,
                       BerthSettingChange *ret_change, GError **error);

/* The path of the user's berth.conf, which may be missing; free with g_free. */
char *berth_settings_path(Berth *berth);

/* List the faults of the settings file @path (NULL: the user's; a missing one has none): lines
 * "@path:LINE: ...", none if all is well. Free with g_strfreev. Errors: the file cannot be read;
 * "config.syntax". */
char **berth_settings_faults(Berth *berth, const char *path, GError **error);

typedef struct {
    char *default_distro; /* or NULL */
    guint distros, running;
    guint64 disk_used, memory_used;
    char *emulator;                                  /* path of the QEMU program; NULL: not found */
    char *kernel;                                    /* path of the kernel; NULL: not found */
    char *accel;                                     /* the setting */
    guint64 memory;                                  /* of one distro, the limit */
    guint cpus;                                      /* of one distro */
    char *data, *config, *cache, *runtime, *support; /* directories */
} BerthStatus;

void berth_status_free(BerthStatus *status);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthStatus, berth_status_free)

BerthStatus *berth_status(Berth *berth, GError **error);

/* --- host ports that distros may reach --- */

typedef struct {
    guint port;         /* 0: all of them */
    const char *origin; /* what allows it: "berth.conf", "berth host" or "session". Static. */
    bool temporary;     /* until the distro stops */
} BerthHostPort;

typedef struct {
    char *distro;
    bool isolated;    /* by berth.conf, which overrides all of this */
    char *outbound;   /* the only reachable addresses; "": all */
    GPtrArray *ports; /* BerthHostPort*, sorted */
} BerthHostAccess;

void berth_host_access_free(BerthHostAccess *access);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthHostAccess, berth_host_access_free)

/* Allow or deny @name the ports @ports of the host's localhost: numbers, or "all". Persistent, and
 * effective at once if the distro is running. *@ret_notice is a line for the user, or NULL; free
 * with g_free. Errors: "distro.not-found", "access.*", "host.not-allowed". */
bool berth_host_allow(Berth *berth, const char *name, const char *const *ports, char **ret_notice,
                      GError **error);
bool berth_host_deny(Berth *berth, const char *name, const char *const *ports, char **ret_notice,
                     GError **error);

/* The access of @name, or of every distro if NULL: BerthHostAccess*. Free with
 * g_ptr_array_unref. */
GPtrArray *berth_host_list(Berth *berth, const char *name, GError **error);

/* Allow the running distro behind @connection one more port until it stops. Errors:
 * "instance.isolated", "access.ports". */
bool berth_host_allow_once(int connection, guint16 port, GError **error);

/* --- directories of the host that distros see --- */

typedef struct {
    char *source; /* on this host, without symbolic links */
    char *target; /* in the distro, below /mnt/host */
    bool read_only;
    bool reviewed; /* the distro's changes are kept beside it */
    guint64 quota; /* how many bytes the distro may add; 0: no limit */
    guint64 quota_used;
} BerthSharedDirectory;

typedef struct {
    char *distro;
    GPtrArray *directories; /* BerthSharedDirectory*, by target */
} BerthShareList;

void berth_share_list_free(BerthShareList *list);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthShareList, berth_share_list_free)

/* Share @directory, relative to the working directory, with @name as @target; NULL: its own path.
 * If @reviewed, the distro's changes of it are kept beside it: see berth_changes. @quota: how many
 * bytes the distro may add from now on, net of what it frees; 0: no limit. Not if @read_only.
 * Persistent; a running distro has it at the return. *@ret_notice is a line for the user, or NULL;
 * free with g_free. Errors: "distro.not-found", "share.directory", "share.target", "share.exists",
 * "share.nested", "share.home". */
bool berth_share_add(Berth *berth, const char *name, const char *directory, const char *target,
                     bool read_only, bool reviewed, guint64 quota, char **ret_notice,
                     GError **error);

/* Remove the share whose target or whose directory is @path. Errors: "distro.not-found",
 * "share.not-found", "share.ambiguous". */
bool berth_share_remove(Berth *berth, const char *name, const char *path, char **ret_notice,
                        GError **error);

/* The shares of @name, or of every distro if NULL: BerthShareList*. Free with g_ptr_array_unref. */
GPtrArray *berth_share_list(Berth *berth, const char *name, GError **error);

/* One change of the distro's in a share whose changes are kept beside it. */
typedef struct {
    char *path;       /* on this host */
    const char *kind; /* "added", "modified", "deleted", or "mode": its permissions alone */
    bool is_directory;
    bool is_conflict; /* the host has changed the same file since */
} BerthChange;

void berth_change_free(BerthChange *change);

/* The changes of @name's files at or below @path, a path of this host; NULL: all (BerthChange*).
 * Free with g_ptr_array_unref. Errors: "distro.not-found", "changes.none" if no share is reviewed,
 * "changes.path" if @path is in no such share. */
GPtrArray *berth_changes(Berth *berth, const char *name, const char *path, GError **error);

/* Make these changes in this host's files, or drop them; *@ret_count of them. The distro must not
 * serve the share meanwhile. Errors: also "changes.running"; "changes.conflict", unless @force,
 * before any is made. */
bool berth_changes_accept(Berth *berth, const char *name, const char *path, bool force,
                          guint *ret_count, GError **error);
bool berth_changes_discard(Berth *berth, const char *name, const char *path, guint *ret_count,
                           GError **error);

G_END_DECLS
