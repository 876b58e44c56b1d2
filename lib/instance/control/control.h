/* SPDX-License-Identifier: MIT
 *
 * control — the protocol between `berth` and a keeper: its frames, encoded and decoded.
 *
 * The control socket (unix, stream) carries the frames of wire/wire.h. On stream 0 the client sends
 * one request at a time and gets one answer; a session uses stream 1 with the types of the agent,
 * which the keeper passes on under another stream number. Closing the connection hangs its session
 * up. A connection has one request or one session at a time: the keeper closes it when the client
 * begins another one before the end of the first.
 *
 *     client                          keeper
 *     HELLO (hello.h), before each    HELLO_IS
 *     but STOP
 *     CONTROL_WAIT                    CONTROL_DONE when the guest is up
 *     CONTROL_STATUS                  CONTROL_STATUS_IS
 *     CONTROL_PORTS                   CONTROL_PORTS_ARE
 *     CONTROL_STOP                    CONTROL_DONE when QEMU has gone
 *     CONTROL_GROW                    CONTROL_DONE when the guest's file system has grown
 *     CONTROL_SUSPEND                 CONTROL_DONE when its state is kept and QEMU has gone
 *     CONTROL_PARK                    CONTROL_DONE when its memory is in a file and given back
 *     CONTROL_KEEP                    CONTROL_DONE
 *     CONTROL_PREPARE                 CONTROL_DONE when a copy of the guest's memory, which runs, is
 *                                     nearly complete; kept until the end of the connection
 *     CONTROL_HOLD                    CONTROL_HELD when nothing writes its disk, which lasts until
 *                                     CONTROL_RELEASE or the end of the connection
 *     CONTROL_RELEASE                 CONTROL_DONE when it was held without a break until now
 *     CONTROL_SAVE, while it holds    CONTROL_SAVED when the guest may go on
 *     CONTROL_WRITTEN, after that     CONTROL_DONE when the file is complete
 *     CONTROL_BOOT                    CONTROL_BOOT_IS
 *     CONTROL_WATCH                   CONTROL_PORTS_ARE now and at each change; CONTROL_DONE when
 *                                     it stops
 *     CONTROL_FORWARD                 CONTROL_DONE when it is done about
 *     CONTROL_REACH                   CONTROL_DONE
 *     CONTROL_REACH_ONE               CONTROL_DONE
 *     CONTROL_SHARES                  CONTROL_SHARES_ARE
 *     CONTROL_SET_SHARES              CONTROL_SHARES_SET when the guest uses them
 *     OPEN on stream 1 ...            OPENED ... EXIT | FAILED, once the guest is up; with
 *                                     WIRE_OPEN_BARE as soon as its agent answers
 *     any of them                     CONTROL_ERROR when it fails
 *                                     CONTROL_NOTICE unasked, to sessions with a terminal
 *                                     CONTROL_PAUSED unasked, to sessions and to clients waiting
 *                                     for WAIT, STOP, GROW, SUSPEND, PARK or HOLD
 *
 * The client's calls are in instance/client/request.h, the keeper's end in
 * instance/keeper/server.h.
 */
#pragma once

#include "boot_report.h"
#include "model/forward.h"
#include "model/guest_use.h"
#include "wire/wire.h"

G_BEGIN_DECLS

/* 85 and 86 are in hello.h. */
typedef enum {
    CONTROL_WAIT = 64,    /* nothing */
    CONTROL_STATUS = 65,  /* nothing */
    CONTROL_PORTS = 66,   /* nothing */
    CONTROL_STOP = 67,    /* how:u8 (BerthStopHow) grace_sec:u32; never changes */
    CONTROL_GROW = 68,    /* size:u64, of the disk */
    CONTROL_BOOT = 69,    /* nothing */
    CONTROL_WATCH = 70,   /* nothing */
    CONTROL_FORWARD = 71, /* wanted:u8 rule:string */
    CONTROL_NOTICE = 72,  /* line:string; unasked: a notice about the distro */
    CONTROL_PAUSED = 73,  /* line:string; unasked: a notice that the distro was paused or resumed */
    CONTROL_REACH = 75,   /* ports:string, the registry's list from now on */
    CONTROL_REACH_ONE = 77,  /* port:u16, to be allowed until it stops */
    CONTROL_SET_SHARES = 78, /* shares:list, model/share.h's text of each from now on */
    CONTROL_SHARES = 79,     /* nothing */
    CONTROL_DONE = 80,       /* nothing */
    CONTROL_STATUS_IS = 81,  /* state:string accel:string keeper_pid:u32 qemu_pid:u32
                                uptime_usec:u64 sessions:u32 kernel:string init:string
                                init_status:string host_ports:string reason:string
                                memory_kept:u64 idle:string idle_timeout_sec:u32 awake:string
                                idle_usec:u64 kept_usec:u64 idle_problem:string due_usec:u64
                                due_name:string checkpoint:string checkpoint_problem:string
                                seen_usec:u64 memory:u64 memory_used:u64 disk:u64 disk_used:u64
                                received:u64 sent:u64 */
    CONTROL_PORTS_ARE = 82,  /* (1:u8 rule:string host_port:u16 origin:u8 state:u8 owner:string
                                reason:string addresses:list, of the legs that are open)* more:u8, 2
                                when another frame goes on with it, else 0 */
    CONTROL_ERROR = 83,      /* code:u32 id:string hint:string message:string */
    CONTROL_BOOT_IS = 84,    /* count:u32 (name:string end_usec:u64 problem:string)* notes:list
                              left_out:u32 */
    /* paths:list, of each directory of the host that the guest sees: the host's, the guest's */
    CONTROL_SHARES_ARE = 88,
    /* effect:u8 (BerthSharesEffect) skipped:list, a line for each share that cannot be served */
    CONTROL_SHARES_SET = 89,
    CONTROL_SUSPEND = 90, /* nothing */
    CONTROL_KEEP = 91,    /* seconds:u32, to keep it awake from now on; 0: no longer;
                             BERTH_KEEP_UNTIL_STOP */
    CONTROL_PARK = 92,    /* nothing */
    CONTROL_HOLD = 93,    /* nothing */
    CONTROL_HELD = 94,    /* was_awake:u8 */
    CONTROL_RELEASE = 95, /* nothing */
    CONTROL_SAVE = 96,    /* flags:u8 (BerthSaveFlags) disk:string, the path of a copy of its disk,
                             beside which the memory is written (park/park_file.h) */
    CONTROL_SAVED = 97,   /* how:u8 (BerthSaved) memory:string, the file of a memory that is lent,
                             to be opened while it is held; else "" */
    CONTROL_WRITTEN = 98, /* nothing; one that was suspended before must be held until then */
    CONTROL_PREPARE = 99, /* nothing; optional, before a HOLD and a SAVE */
} ControlType;

#define BERTH_KEEP_UNTIL_STOP G_MAXUINT32
#define BERTH_NOT_FORESEEN    G_MAXUINT64 /* a time that nobody knows */

/* CONTROL_SET_SHARES is answered within this time, however slow the guest is. */
#define BERTH_SHARES_WAIT_SEC 10

typedef enum {
    BERTH_SHARES_CURRENT,  /* the guest has these, or gets them with the first */
    BERTH_SHARES_REPLACED, /* it has them now; files that it has open of the former are stale */
    BERTH_SHARES_SLOW,     /* the same, but it has not taken them within the limit of time */
    BERTH_SHARES_LATER,    /* it has no place for shares before its next boot */
} BerthSharesEffect;

typedef enum {
    BERTH_SAVE_UNSYNCED = 1, /* park/park_file.h */
    BERTH_SAVE_LEND = 2,     /* the client would rather map the memory than have it written */
} BerthSaveFlags;

typedef enum {
    BERTH_SAVED_BESIDE, /* all of it is written */
    BERTH_SAVED_PARKED, /* nothing is written: it is in the distro's own parked file */
    BERTH_SAVED_LENT,   /* all but the memory is written, which is sealed (vmm/guest_ends.h) */
} BerthSaved;

typedef enum {
    BERTH_STOP_ORDERLY, /* power off; force it after the grace period */
    BERTH_STOP_FORCE,   /* at once */
} BerthStopHow;

typedef struct {
    char *state; /* "starting", "running", "suspending", "suspended", "parked", "waking",
                    "stopping", "paused" */
    char *accel; /* "kvm" or "tcg" */
    guint keeper_pid;
    guint qemu_pid;
    gint64 uptime_usec; /* since the start, including suspends of the host */
    guint sessions;
    char *kernel;        /* uname -r, or "" before HELLO */
    char *init;          /* "systemd", "berth", ... or "" */
    char *init_status;   /* "running", "degraded", ... or "" */
    char *host_ports;    /* host ports allowed until it stops: numbers and commas, or "" */
    char *reason;        /* why it is paused, or suspended and not parked; or "" */
    guint64 memory_kept; /* bytes of the host's that it takes while it is suspended, else 0 */
    char *idle;          /* "suspend", "stop" or "never" */
    guint idle_timeout_sec;
    char *awake;        /* what keeps it awake (model/idle.h); "" unless it runs */
    guint64 idle_usec;  /* until it is taken for idle; BERTH_NOT_FORESEEN: not known */
    guint64 kept_usec;  /* of berth keep, that are left; BERTH_NOT_FORESEEN: until it stops */
    char *idle_problem; /* why it could not be suspended the last time, or "" */
    guint64 due_usec;   /* time of day at which the distro does something by itself, for which it is
                           woken, or awake; 0: not known */
    char *due_name;     /* what it does, or "" */
    char *checkpoint;   /* the setting that it was started with, or "" */
    char *checkpoint_problem; /* why the last automatic snapshot was not taken, or "" */
    BerthGuestUse use;
} BerthInstanceStatus;

void berth_instance_status_free(BerthInstanceStatus *status);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthInstanceStatus, berth_instance_status_free)

/* The keeper's frames. */
void berth_control_put_error(WireBuffer *buffer, const GError *error);
void berth_control_put_status(WireBuffer *buffer, const BerthInstanceStatus *status);
void berth_control_put_ports(WireBuffer *buffer, const GPtrArray *forwards);
/* @paths: as in CONTROL_SHARES_ARE. Of more than fit a frame none is sent. */
void berth_control_put_shares(WireBuffer *buffer, const char *const *paths);
void berth_control_put_boot(WireBuffer *buffer, const BerthBootReport *report);

/* Of the @skipped lines (char *) those are sent that fit. */
void berth_control_put_shares_set(WireBuffer *buffer, BerthSharesEffect effect,
                                  const GPtrArray *skipped);

/* Decode them; @frame must be of the type. Errors: BERTH_ERROR_PROTOCOL, "instance.answer". */
BerthInstanceStatus *berth_control_get_status(const WireFrame *frame, GError **error);
BerthBootReport *berth_control_get_boot(const WireFrame *frame, GError **error);
/* Free with g_strfreev; it has an even number of strings. */
char **berth_control_get_shares(const WireFrame *frame, GError **error);
/* *@ret_skipped is to be freed with g_strfreev. */
bool berth_control_get_shares_set(const WireFrame *frame, BerthSharesEffect *ret_effect,
                                  char ***ret_skipped, GError **error);
/* Append the forwards of one CONTROL_PORTS_ARE. *@ret_more: the list continues in another frame. */
bool berth_control_get_ports(const WireFrame *frame, GPtrArray *forwards, bool *ret_more,
                             GError **error);
/* Set @error from a CONTROL_ERROR frame. */
void berth_control_get_error(const WireFrame *frame, GError **error);
/* Set "instance.answer": @answer is not a valid answer to the request. */
void berth_control_set_malformed(const WireFrame *answer, GError **error);

G_END_DECLS
