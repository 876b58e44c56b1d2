/* SPDX-License-Identifier: MIT
 *
 * instance_private — what the files of the instance share. Not for others.
 *
 *     instance.c           its states, from QEMU's start to its end
 *     instance_requests.c  what clients ask of it
 *     instance_pause.c     when the host refuses what it writes
 *     instance_files.c     what it boots
 */
#pragma once

#include "instance.h"

#include "port_notices.h"
#include "console.h"
#include "guest/agent_client.h"
#include "instance/control/boot_report.h"
#include "instance/host/host_clock.h"
#include "instance/host/host_names.h"
#include "instance/host/host_route.h"
#include "net_process.h"
#include "pause.h"
#include "server.h"
#include "sockets.h"
#include "vmm/qemu_process.h"
#include "vmm/qmp.h"

G_BEGIN_DECLS

typedef enum { STARTING, UP, STOPPING, GONE } State;

/* Why QEMU said it is ending, from QMP's SHUTDOWN event. */
typedef enum { END_UNKNOWN, END_POWERED_OFF, END_REBOOT } EndReason;

/* How long a guest may take to power off once its agent has gone. */
#define AGENT_GRACE_SEC 5

struct BerthInstance {
    BerthMachine *machine;
    int dir_fd;       /* its runtime directory, or -1 */
    int kernel_fd;    /* what it boots at each start, or -1; one with user-data has no name */
    int initramfs_fd; /* any more */
    BerthInstanceGoneFunc on_gone;
    gpointer user_data;

    State state;
    bool was_up;         /* this QEMU's guest has been up */
    gint64 started_usec; /* berth_clock_boottime */
    GError *failure;     /* why it is ending, if not because it was asked to */
    GSource *timer;      /* of the present state */
    GSource *finisher;   /* queued when there is no QEMU to wait for */

    BerthServer *server;
    BerthSockets *sockets; /* NULL once it is GONE */
    BerthConsole *console;

    /* of the present QEMU; the instance is in the middle of ending while one of both is left */
    BerthQemu *qemu;
    BerthQmp *qmp;
    BerthAgent *agent;
    BerthPause *pause;
    bool read_error_reported;
    EndReason end_reason;
    bool qemu_ended;
    bool was_killed; /* by somebody else */
    int wait_status;

    BerthNetwork *network; /* survives a reboot of the guest */

    guint32 last_stream;
    guint64 disk_size;       /* asked for */
    char *kernel;            /* as the guest says */
    char *init;              /* "" before READY */
    char *init_status;       /* "" before BOOTED */
    guint init_timeout_msec; /* of this start */
    char *problem;           /* the boot stage that failed, or NULL */
    bool no_disk;            /* that was the one which mounts it */
    BerthBootReport *report;
    BerthPortNotices *port_notices;

    BerthHostNames *names;
    BerthHostRoute *route;
    BerthHostClock *clock;
};

extern const BerthServerOps berth_instance_server_ops;
extern const BerthSocketsOps berth_instance_sockets_ops;

/* The timer of the present state, in the place of the one before. */
void berth_instance_clear_timer(GSource **timer);
void berth_instance_set_timer(BerthInstance *instance, guint msec, GSourceFunc func);

/* End the instance because of @failure (taken). */
void berth_instance_fail(BerthInstance *instance, GError *failure);

/* Pauses of the QEMU that was just started. */
void berth_instance_watch_pauses(BerthInstance *instance);
bool berth_instance_is_paused(const BerthInstance *instance);
/* False when @event, of QMP, is none of a pause. */
bool berth_instance_pause_event(BerthInstance *instance, const BerthQmpEvent *event);
/* It is about to be ended in a pause, if it is in one: say what that means. */
void berth_instance_notify_lost_writes(BerthInstance *instance);

/* That it has stopped: for those who only waited for it. */
void berth_instance_set_stopped_error(GError **error);

/* An upgrade of berth replaces kernel and initramfs while the distro runs, and its guest is to
 * reboot into those of this keeper's version. So they are kept open, and used from the second start
 * of QEMU on; the first has the names that `berth start --dry-run` prints. */
void berth_instance_hold_boot_files(BerthInstance *instance);
void berth_instance_use_boot_files(BerthInstance *instance);

G_END_DECLS
