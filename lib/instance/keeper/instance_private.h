/* SPDX-License-Identifier: MIT
 *
 * instance_private — shared by the files of the instance only.
 *
 *     instance.c           its states, from QEMU's start to its end
 *     instance_guest.c     one life of the guest: the agent, its start, the host it must know
 *     instance_qemu.c      one QEMU process: its start, its events, its end
 *     instance_requests.c  clients' requests
 *     instance_suspend.c   suspend and wake
 *     instance_hold.c      a guest that stands still while a client works on its disk
 *     instance_sleep.c     a guest that stands still while the host sleeps
 *     instance_park.c      the memory of a suspended guest in a file
 *     instance_leave.c     the keeper's end, with the guest parked for another keeper
 *     instance_takeover.c  a guest that another keeper has parked
 *     instance_prepare.c   a copy of the memory while the guest runs, for instance_copy.c
 *     instance_copy.c      the memory of a held guest for a copy of its disk
 *     instance_due.c       what the distro will do by itself, for which it is woken
 *     instance_checkpoint.c  automatic snapshots
 *     instance_idle.c      what keeps it awake, and the suspend without
 *     instance_reclaim.c   memory that the guest gives back
 *     instance_use.c       what the guest uses
 *     instance_pause.c     pauses: the host refuses a write to the disk
 *     instance_files.c     the kernel and initramfs, kept open
 */
#pragma once

#include "instance.h"

#include "alarm.h"
#include "checkpoint_job.h"
#include "port_notices.h"
#include "console.h"
#include "copy_job.h"
#include "guest/agent_client.h"
#include "instance/control/boot_report.h"
#include "host_calls.h"
#include "instance/host/host_clock.h"
#include "instance/host/host_names.h"
#include "instance/host/host_pressure.h"
#include "instance/host/host_route.h"
#include "instance/host/host_sleep.h"
#include "model/checkpoint.h"
#include "model/due.h"
#include "model/guest_use.h"
#include "model/idle.h"
#include "model/reclaim.h"
#include "net_process.h"
#include "mirror_job.h"
#include "park_job.h"
#include "pause.h"
#include "server.h"
#include "share_process.h"
#include "sockets.h"
#include "streams.h"
#include "vmm/device_state.h"
#include "vmm/guest_ends.h"
#include "vmm/qemu_process.h"
#include "vmm/qmp.h"

G_BEGIN_DECLS

typedef enum { STARTING, UP, SUSPENDING, SUSPENDED, WAKING, STOPPING, GONE } State;

/* The reason in QMP's SHUTDOWN event. */
typedef enum { END_UNKNOWN, END_POWERED_OFF, END_REBOOT } EndReason;

/* Limit for a guest to power off once its agent has ended. */
#define AGENT_GRACE_SEC 5

/* One life of the guest: from its boot until it reboots or ends. instance_guest.c */
typedef struct {
    BerthGuestEnds ends;     /* passed on from one QEMU to the next */
    BerthAgentClient *agent; /* NULL before the boot and once the channel is closed */
    bool was_up;
    char *kernel;            /* reported by the guest */
    char *init;              /* "" before READY */
    char *init_status;       /* "" before BOOTED */
    guint init_timeout_msec; /* of this start */
    char *problem;           /* the boot stage that failed, or NULL */
    bool no_disk;            /* that stage mounts the disk */
    BerthBootReport *report;
    bool offers_shares;             /* CONFIG said so: it mounts them if its wsl.conf lets it */
    bool is_booted;                 /* BOOTED has come */
    char *share_root;               /* where the guest has its shares; NULL: nowhere */
    guint64 disk_size;              /* of the grow in progress, bytes */
    BerthHostNamesLeftOut left_out; /* as reported */
} GuestLife;

/* One QEMU process, from its start until it was reaped and QMP is at EOF; all zero without one.
 * While only one of qemu and qmp is left, QEMU is ending. instance_qemu.c */
typedef struct {
    BerthQemu *qemu;
    BerthQmp *qmp;
    BerthPause *pause;
    bool read_error_reported;
    EndReason end_reason;
    bool ended; /* and was reaped */
    int wait_status;
} QemuProcess;

typedef enum {
    NOT_SUSPENDING,
    WATCHING, /* berth-net begins to watch for frames that wake the guest, which still runs: again
                 and again, until its network is quiet */
    FREEZING, /* the guest writes its file systems and freezes */
    SAVING,   /* it stands still, QEMU gives its state */
    HELD,     /* it stands still in its QEMU, for clients that hold it or the host's sleep */
    QUITTING, /* all is kept: QEMU ends */
    GREETING, /* the guest of a former keeper runs again; its agent is to begin anew */
    CATCHING_UP, /* the guest runs again, its processes wait until berth-share is ready */
} SuspendPhase;

/* Of SUSPENDING, SUSPENDED and WAKING. instance_suspend.c */
typedef struct {
    SuspendPhase phase;
    gint64 begun_usec;           /* monotonic */
    GSource *quiet;              /* while WATCHING waits to watch again, or NULL */
    BerthDeviceState *operation; /* freed after QMP */
    GBytes *state;               /* of the guest, all but its memory; NULL once it is loaded */
    bool with_memory;            /* or even that */
    GError *failure;             /* why it is not suspended but continues; or NULL */
    bool for_hold;               /* a client holds the guest: it continues at the release */
    bool is_unasked;             /* no client waits for it: it is for idleness */
    bool wake_wanted;            /* wake it once it is suspended and no client holds it */
    bool suspend_wanted;         /* once more, as soon as it is awake */
    bool stop_wanted;            /* as soon as it is awake */
    guint stop_grace_sec;
} Suspension;

typedef enum {
    NOT_PARKED,
    PARKING, /* a suspended guest: its memory is written to a file */
    PARKED,  /* it has been given back */
    LOADING, /* of a guest that wakes */
} ParkPhase;

/* instance_park.c */
typedef struct {
    ParkPhase phase;
    BerthParkJob *job; /* of the phase, or of one that was cancelled; or NULL */
    bool wanted;       /* as soon as the guest is suspended */
    GSource *timer;    /* until a suspended guest is parked unasked */
    char *problem;     /* why it was not parked the last time; or NULL */
} Park;

/* instance_takeover.c */
typedef struct {
    bool active; /* the guest of another keeper's is loaded, until it is UP */
    char *loss;  /* why it was not, a line for those who start it; or NULL */
} Takeover;

/* instance_copy.c; all zero unless a client saves the memory. */
typedef struct {
    char *disk;     /* of the copy */
    bool unsynced;  /* its file need not be on the medium */
    bool is_lent;   /* the client gets the memory itself */
    bool captures;  /* a held guest cannot go on yet: QEMU gives its state, and a job its memory */
    bool abandoned; /* by its client, while QEMU gives the state */
    GBytes *state;  /* of the capture, once it is there */
    bool with_memory;
    BerthMirrorJob *mirroring; /* of the capture */
    BerthCopyJob *job;
    bool is_live; /* it reads the memory of a suspended guest, which must stay held */
    bool finished;
    bool is_theirs;  /* its client knows that it is complete */
    GError *failure; /* of the capture's memory, then of what is finished */
} MemoryCopy;

/* instance_due.c */
typedef struct {
    BerthDue due;      /* as the guest said at the last suspend, until it is over */
    BerthAlarm *alarm; /* or NULL */
    /* Of the last suspend: since when changes of the host count (nanoseconds, realtime), and files
     * of the shares that the guest's processes watch (WireWatch). */
    gint64 since_nsec;
    GArray *watches; /* or NULL */
} Expected;

/* instance_idle.c */
typedef struct {
    BerthIdle policy;
    GSource *timer;  /* while it is UP */
    guint64 frames;  /* of data, of all streams and both ways, and one for each that begins */
    guint64 packets; /* of berth-net that count, as last asked */
    bool is_asked;   /* for a sample, which is taken with the answer */
    char *problem;   /* why it was not suspended the last time; or NULL */
} Idle;

/* instance_checkpoint.c */
typedef struct {
    BerthCheckpoint policy;  /* of a plan without an interval if none are wanted */
    BerthCheckpointJob *job; /* or NULL */
    char *program;
    char *problem; /* why the last one was not taken; or NULL */
} Checkpoints;

/* instance_reclaim.c */
typedef struct {
    BerthReclaim policy;
    BerthHostPressure *pressure;
    gint64 asked_usec; /* QEMU's processor time at the last request */
    gint64 spent_usec; /* the part of it that requests took, which is no use of the distro */
} Reclaim;

/* instance_use.c */
typedef struct {
    BerthGuestUse last;
    gint64 asked_usec; /* monotonic, the last time */
} Use;

/* instance_sleep.c */
typedef struct {
    BerthHostSleep *host; /* NULL before the start and once it is GONE */
    bool holds;           /* the host sleeps, or is about to: the guest is to stand still */
} HostSleep;

struct BerthInstance {
    BerthMachine *machine;
    int dir_fd;       /* its runtime directory, or -1 */
    int kernel_fd;    /* both or -1; for the second start of QEMU on. An initramfs with */
    int initramfs_fd; /* user-data is unlinked */
    int lent_fd;      /* the memory of another guest, for the first life; or -1 */
    BerthInstanceGoneFunc on_gone;
    gpointer user_data;

    State state;
    gint64 started_usec; /* berth_clock_boottime */
    GError *failure;     /* why it ends; NULL after a request to stop */
    bool was_killed;     /* QEMU, by a signal that the keeper did not send */
    GSource *timer;      /* of the present state */
    GSource *finisher;   /* queued when there is no QEMU to wait for */
    int owner_fd;        /* a pidfd of the machine's owner, or -1 */
    GSource *owner;      /* of its end */

    /* Of the keeper: reboots of the guest do not touch them. */
    BerthStreams *streams;
    BerthServer *server;
    BerthSockets *sockets;    /* NULL once it is GONE */
    BerthNetProcess *network; /* NULL once it is GONE */
    BerthShareProcess *shares;
    GSource *shares_timer; /* while clients wait for the guest to use its new shares */
    BerthHostCalls *calls;
    BerthConsole *console;
    BerthPortNotices *port_notices;
    BerthHostNames *names;
    BerthHostRoute *route;
    BerthHostClock *clock;

    GuestLife life;
    QemuProcess process;
    Suspension suspension;
    Park park;
    Takeover takeover;
    bool is_leaving; /* it ends once the guest is parked, and leaves that to another keeper */

    BerthMirrorJob *mirroring; /* while a client is going to hold the guest and save its memory */
    MemoryCopy copy;
    Expected expected;
    Idle idle;
    Reclaim reclaim;
    HostSleep sleep;
    Use use;
    Checkpoints checkpoints;
};

extern const BerthServerOps berth_instance_server_ops;
extern const BerthStreamsOps berth_instance_streams_ops;
extern const BerthHostCallsOps berth_instance_calls_ops;

/* Clear, or replace, the timer of the present state. */
void berth_instance_clear_timer(GSource **timer);
void berth_instance_set_timer(BerthInstance *instance, guint msec, GSourceFunc func);

/* End the instance because of @failure (taken; NULL: it is as wanted). */
void berth_instance_fail(BerthInstance *instance, GError *failure);

/* The guest is up: let sessions and connections begin. The second is the part for a life that was
 * not up before. */
void berth_instance_come_up(BerthInstance *instance);
void berth_instance_begin_up(BerthInstance *instance);
/* The parked guest could not be loaded: boot. */
void berth_instance_boot_instead(BerthInstance *instance);
/* QEMU has been reaped and QMP, which carries the reason, is at EOF: reboot, or end the instance.
 */
void berth_instance_qemu_ended(BerthInstance *instance);

/* Start to follow the host's route, names, clock and zone, and to tell the guest of changes. */
void berth_instance_follow_host(BerthInstance *instance);
/* The directories of the host that the guest sees: the host's path, then the guest's. Free with
 * g_strfreev. */
char **berth_instance_share_paths(const BerthInstance *instance);
/* The guest uses its shares, or will not: answer the clients that wait for it. */
void berth_instance_settle_shares(BerthInstance *instance, BerthSharesEffect effect);
/* Write the machine's shares into machine.conf. */
void berth_instance_store_shares(BerthInstance *instance);
/* Forget what the former life of the guest reported, and open the ends of a new one. Errors: of
 * berth_guest_ends_open. */
void berth_instance_begin_life(BerthInstance *instance);
bool berth_instance_open_life(BerthInstance *instance, GError **error);
/* Send the guest its configuration. */
void berth_instance_connect_agent(BerthInstance *instance);
/* The same for one whose QEMU was just started: it has the machine's boot timeout. */
void berth_instance_boot_guest(BerthInstance *instance);
/* The guest closed the agent's channel: no session works without it. */
void berth_instance_lose_agent(BerthInstance *instance);
/* The guest is gone: close its forwards and connections. */
void berth_instance_end_life(BerthInstance *instance);
void berth_instance_clear_life(BerthInstance *instance);
/* Send the host's time and zone to a guest that is ready. */
void berth_instance_send_clock(BerthInstance *instance);
/* Send a guest that continues all that it could not follow meanwhile. */
void berth_instance_update_guest(BerthInstance *instance);

/* Start a QEMU for the present life of the guest. Errors: those of berth_qemu_spawn. */
bool berth_instance_start_qemu(BerthInstance *instance, GError **error);
/* The error for a QEMU that ended unasked. */
GError *berth_instance_crash_error(BerthInstance *instance);
void berth_instance_clear_qemu(BerthInstance *instance);

/* Ops of the server: suspend a guest that is up, and wake it. */
void berth_instance_suspend(gpointer user_data);
void berth_instance_wake(gpointer user_data);
/* Parts of both, for instance_hold.c: begin a suspend, whoever asked for it; limit the time until
 * its end; fetch QEMU's state; continue the guest. */
void berth_instance_begin_suspend(BerthInstance *instance);
void berth_instance_limit_suspend(BerthInstance *instance);
void berth_instance_save(BerthInstance *instance);
void berth_instance_continue(BerthInstance *instance);
/* QEMU runs the guest again: send it the host's present state, and thaw it as soon as it has
 * forgotten what the host changed in the shares. */
void berth_instance_continue_guest(BerthInstance *instance);

/* Ops of the server: hold the guest, and release it. */
void berth_instance_hold(gpointer user_data);
void berth_instance_release(gpointer user_data);
/* QEMU has stopped the guest. True: that was for clients that hold it, or did. */
bool berth_instance_hold_stopped(BerthInstance *instance);
/* Whether the guest stands still in its QEMU for a client or the host's sleep; whether it is to. */
bool berth_instance_is_held(const BerthInstance *instance);
bool berth_instance_is_hold_wanted(const BerthInstance *instance);

/* Follow the host's sleep. Then, after each step of a hold: let the host sleep if the guest stands
 * still, or cannot. And: it could not be held. */
void berth_instance_sleep_init(BerthInstance *instance);
void berth_instance_sleep_settle(BerthInstance *instance);
void berth_instance_sleep_failed(BerthInstance *instance);
void berth_instance_sleep_clear(BerthInstance *instance);

/* Events of the network, and of the agent. */
void berth_instance_on_watched(gint64 wait_usec, gpointer user_data);
void berth_instance_on_packet(gpointer user_data);
void berth_instance_on_frozen(const char *problem, gpointer user_data);
void berth_instance_on_due(guint64 at_sec, guint32 lead_sec, guint32 hold_sec, const char *name,
                           gpointer user_data);
void berth_instance_on_watches(const WireWatch *watches, gsize n_watches, gpointer user_data);
/* The guest has forgotten what the host changed in the shares, or has none any more. */
void berth_instance_shares_caught_up(BerthInstance *instance);
/* QEMU has ended. False: not because the guest is suspended. */
bool berth_instance_qemu_suspended(BerthInstance *instance);
/* Stop a guest that is suspended, or about to be: it is woken first. False: handle it as usual. */
bool berth_instance_stop_asleep(BerthInstance *instance, BerthStopHow how, guint grace_sec);
/* Whether no processor of the guest runs because it is suspended or not awake yet. */
bool berth_instance_is_asleep(const BerthInstance *instance);
/* Bytes of this host's that a suspended guest takes. */
guint64 berth_instance_memory_kept(const BerthInstance *instance);
/* Tell clients and the log that a suspended guest is lost because of @error. */
void berth_instance_notify_wake_failed(BerthInstance *instance, const GError *error);
/* The memory of a guest that wakes was loaded, with its state, or not because of @error. */
void berth_instance_memory_loaded(BerthInstance *instance, const GError *error);
/* Once QMP is gone. */
void berth_instance_clear_suspension(BerthInstance *instance);

/* Op of the server: park the guest, which may be up. */
void berth_instance_park(gpointer user_data);
/* The host is short of memory: park the guest if it is suspended, unless that failed before. */
void berth_instance_park_under_pressure(BerthInstance *instance);
/* The guest is suspended, or is not because of @error: answer clients, and park it if wanted. */
void berth_instance_suspend_ended(BerthInstance *instance, const GError *error);
/* The suspended guest is to wake: park it no more. With *@ret_is_loading its memory is parked, and
 * berth_instance_memory_loaded follows. Errors: errno's, "park.read.*". */
bool berth_instance_unpark(BerthInstance *instance, bool *ret_is_loading, GError **error);
/* Remove the file, before anything writes the disk or the memory. Errors: errno's,
 * "park.remove.*". */
bool berth_instance_park_forget(BerthInstance *instance, GError **error);
/* The instance ends: nothing stays parked. */
void berth_instance_park_end(BerthInstance *instance);

/* The parked memory has become a file, or not. The keeper that is to leave ends, or powers the
 * guest off. */
void berth_instance_leave_parked(BerthInstance *instance);
void berth_instance_leave_failed(BerthInstance *instance);

/* Record the state that another keeper needs of the suspended guest; and take it over from a
 * record, before the guest continues. */
GBytes *berth_instance_life_record(const BerthInstance *instance);
void berth_instance_restore_life(BerthInstance *instance, GBytes *life);
/* Load the guest that another keeper has parked. False: there is none. */
bool berth_instance_take_over(BerthInstance *instance);
/* QEMU has continued the guest: have its agent answer. And: the agent has answered, the guest is
 * UP. */
void berth_instance_greet(BerthInstance *instance);
void berth_instance_greeted(BerthInstance *instance);
void berth_instance_taken_over(BerthInstance *instance);
/* It cannot be loaded because of @error: boot, and tell those who start it. */
void berth_instance_lose_parked(BerthInstance *instance, const GError *error);
/* QEMU has ended. True: that, or QEMU itself, is why it cannot be loaded; boot. */
bool berth_instance_takeover_failed(BerthInstance *instance);

/* Ops of the server: copy the memory while the guest runs; drop the copy. */
void berth_instance_prepare(gpointer user_data);
void berth_instance_unprepare(gpointer user_data);
/* The copy, which fits the present memory; the caller's. NULL: there is none. */
BerthMirror *berth_instance_steal_mirror(BerthInstance *instance);

/* Ops of the server: save the memory of a guest that is held; wait for the file; forget both. */
void berth_instance_save_memory(const char *disk, guint8 flags, gpointer user_data);
void berth_instance_await_memory(gpointer user_data);
void berth_instance_forget_memory(gpointer user_data);
/* A suspended guest is held no longer: what is written of its memory is no use. */
void berth_instance_interrupt_copy(BerthInstance *instance);
/* Once QEMU is gone. */
void berth_instance_clear_copy(BerthInstance *instance);

/* As berth_instance_suspend, for no client: not if something is due soon. */
void berth_instance_suspend_unasked(BerthInstance *instance);

/* Another suspend, or life, begins: what was due before does not count. */
void berth_instance_due_forget(BerthInstance *instance);
bool berth_instance_due_is_near(const BerthInstance *instance);
/* It is suspended: wake it in time. */
void berth_instance_due_arm(BerthInstance *instance);
/* It is up, and what is due soon keeps it awake; after berth_instance_idle_begin. */
void berth_instance_due_hold(BerthInstance *instance);
/* Fill in the members of @status about it. */
void berth_instance_due_status(const BerthInstance *instance, BerthInstanceStatus *status);
void berth_instance_due_clear(BerthInstance *instance);
/* A suspend: what the host changes from now on counts, if the guest watches it. Then berth-share
 * ends and what the guest said is watched; event of berth-share. */
void berth_instance_watches_begin(BerthInstance *instance);
void berth_instance_watch_shares(BerthInstance *instance);
void berth_instance_on_changed(gpointer user_data);

/* Automatic snapshots: once at the start; whether any are wanted; whether one is being taken. */
void berth_instance_checkpoint_init(BerthInstance *instance, const char *support_dir);
bool berth_instance_checkpoint_is_wanted(const BerthInstance *instance);
bool berth_instance_checkpoint_is_running(const BerthInstance *instance);
/* With each sample of the idle policy: take one if it is time. */
void berth_instance_checkpoint_sample(BerthInstance *instance, bool is_active);
/* Fill in the members of @status about it. */
void berth_instance_checkpoint_status(const BerthInstance *instance, BerthInstanceStatus *status);
/* The instance ends: nothing works on its disk any more. */
void berth_instance_checkpoint_end(BerthInstance *instance);
void berth_instance_checkpoint_clear(BerthInstance *instance);

/* The guest is UP: watch whether it is idle, from now on. */
void berth_instance_idle_begin(BerthInstance *instance);
/* A frame of a stream's passes, either way. */
void berth_instance_idle_frame(BerthInstance *instance, const WireFrame *frame);
/* Microseconds that QEMU has computed so far; 0 without one. */
gint64 berth_instance_processor_usec(const BerthInstance *instance);
/* Have the guest give memory back: watch the host's; the guest is UP; every period of the idle
 * policy; and event of the agent. */
void berth_instance_reclaim_watch(BerthInstance *instance);
void berth_instance_reclaim_begin(BerthInstance *instance);
void berth_instance_reclaim_sample(BerthInstance *instance);
void berth_instance_on_reclaimed(bool busy, guint64 taken, guint64 refaulted, gpointer user_data);
void berth_instance_reclaim_clear(BerthInstance *instance);
/* So many frames of the network were active so far. */
void berth_instance_idle_counted(BerthInstance *instance, guint64 packets);
/* Ask the guest what it uses of its memory and disk, if it is UP or about to be frozen and was not
 * asked a moment ago. Then: the agent's answer, the network's count, and a new life begins. */
void berth_instance_measure(BerthInstance *instance);
void berth_instance_on_measured(guint64 memory, guint64 available, guint64 disk, guint64 disk_used,
                                gpointer user_data);
void berth_instance_on_counted(guint64 packets, guint64 received, guint64 sent, gpointer user_data);
void berth_instance_use_forget(BerthInstance *instance);
/* It could not be suspended because of @error; or it was. */
void berth_instance_idle_failed(BerthInstance *instance, const GError *error);
void berth_instance_idle_succeeded(BerthInstance *instance);
/* Op of the server: keep it awake for @seconds (control.h). */
void berth_instance_keep(guint32 seconds, gpointer user_data);
/* Fill in the members of @status about idleness. */
void berth_instance_idle_status(BerthInstance *instance, BerthInstanceStatus *status);
void berth_instance_idle_clear(BerthInstance *instance);

/* Begin to track the pauses of a QEMU that was just started. */
void berth_instance_watch_pauses(BerthInstance *instance);
bool berth_instance_is_paused(const BerthInstance *instance);
/* Handle @event of QMP; false when it does not concern pauses. */
bool berth_instance_pause_event(BerthInstance *instance, const BerthQmpEvent *event);
/* Before a forced end: if the guest is paused, notify clients that its pending writes are lost. */
void berth_instance_notify_lost_writes(BerthInstance *instance);

/* Set "instance.stopped", for clients that only waited. */
void berth_instance_set_stopped_error(GError **error);

/* An upgrade of berth may replace kernel and initramfs while the distro runs; a reboot of the guest
 * must boot those of this keeper's version. So the keeper keeps them open and uses the descriptors
 * from the second start of QEMU on; the first start uses the paths that `berth start --dry-run`
 * prints. */
void berth_instance_hold_boot_files(BerthInstance *instance);
void berth_instance_use_boot_files(BerthInstance *instance);

G_END_DECLS
