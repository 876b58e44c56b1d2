/* SPDX-License-Identifier: MIT
 *
 * berth_instance — the start and the stop of a distro, and its logs. A part of the public
 * interface (berth.h).
 */
#pragma once

#include "berth_handle.h"

G_BEGIN_DECLS

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
    bool force;    /* do not ask the guest to power off */
    int grace_sec; /* seconds until it is forced; -1: as set in berth.conf */
    /* called for each distro that was not running; may be NULL */
    void (*not_running)(const char *name, gpointer user_data);
    /* the same for each that was parked and had no keeper: its memory was removed */
    void (*was_parked)(const char *name, gpointer user_data);
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

/* As berth_suspend, and park them: their memory goes to a file beside the disk, which the next
 * command that needs them loads. Errors: also "park.refused" for a throw-away clone, "park.woken" when
 * one was needed meanwhile, "park.write.*": it stays suspended. */
bool berth_park(Berth *berth, const char *const *names, const BerthSuspend *suspend,
                GError **error);

/* The path of a unix socket on the host that leads to the Docker daemon of @name, which is started
 * if necessary; free with g_free. @ret_notice as for berth_connect. Errors: those of berth_connect;
 * "docker.none". */
char *berth_docker_socket(Berth *berth, const char *name, char **ret_notice, GError **error);

/* The path of the log of the keeper of the last start, which may not exist; free with g_free. */
char *berth_keeper_log_path(Berth *berth, const char *name, GError **error);

/* The path of the console log, which may not exist yet; free with g_free. */
char *berth_log_path(Berth *berth, const char *name, GError **error);

G_END_DECLS
