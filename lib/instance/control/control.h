/* SPDX-License-Identifier: MIT
 *
 * control — the protocol between `berth` and a keeper, and the client's end of it.
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
 *     CONTROL_BOOT                    CONTROL_BOOT_IS
 *     CONTROL_WATCH                   CONTROL_PORTS_ARE now and at each change; CONTROL_DONE when
 *                                     it stops
 *     CONTROL_FORWARD                 CONTROL_DONE when it is done about
 *     CONTROL_REACH                   CONTROL_DONE
 *     CONTROL_REACH_ONE               CONTROL_DONE
 *     OPEN on stream 1 ...            OPENED ... EXIT | FAILED, once the guest is up; with
 *                                     WIRE_OPEN_BARE as soon as its agent answers
 *     any of them                     CONTROL_ERROR when it fails
 *                                     CONTROL_NOTICE unasked, to sessions with a terminal
 *                                     CONTROL_PAUSED unasked, to sessions and to clients waiting
 *                                     for WAIT, STOP or GROW
 *
 * The client's functions block. @fd is a connection of lib/instance/client/runtime.h and stays the
 * caller's. Lost connections are BERTH_ERROR_GUEST, "instance.lost"; a keeper of another version of
 * berth is BERTH_ERROR_PROTOCOL, "instance.version" (but for berth_control_stop).
 */
#pragma once

#include "boot_report.h"
#include "control_channel.h"
#include "model/forward.h"
#include "model/machine.h"
#include "wire/wire.h"

G_BEGIN_DECLS

/* 85 and 86 are those of hello.h. */
typedef enum {
    CONTROL_WAIT = 64,      /* nothing */
    CONTROL_STATUS = 65,    /* nothing */
    CONTROL_PORTS = 66,     /* nothing */
    CONTROL_STOP = 67,      /* how:u8 (BerthStopHow) grace_sec:u32; never changes */
    CONTROL_GROW = 68,      /* size:u64, of the disk */
    CONTROL_BOOT = 69,      /* nothing */
    CONTROL_WATCH = 70,     /* nothing */
    CONTROL_FORWARD = 71,   /* wanted:u8 rule:string */
    CONTROL_NOTICE = 72,    /* line:string; from the keeper, about the distro, for its user */
    CONTROL_PAUSED = 73,    /* line:string; the distro was paused or resumed: for its user */
    CONTROL_REACH = 75,     /* ports:string, that the registry allows from now on */
    CONTROL_REACH_ONE = 77, /* port:u16, to be allowed until it stops */
    CONTROL_DONE = 80,      /* nothing */
    CONTROL_STATUS_IS = 81, /* state:string accel:string keeper_pid:u32 qemu_pid:u32
                               uptime_usec:u64 sessions:u32 kernel:string init:string
                               init_status:string host_ports:string reason:string */
    CONTROL_PORTS_ARE = 82, /* (1:u8 rule:string host_port:u16 origin:u8 state:u8 owner:string
                               reason:string addresses:list, of the legs that are open)* more:u8, 2
                               when another frame goes on with it, else 0 */
    CONTROL_ERROR = 83,     /* code:u32 id:string hint:string message:string */
    CONTROL_BOOT_IS = 84,   /* count:u32 (name:string end_usec:u64 problem:string)* notes:list
                             left_out:u32 */
} ControlType;

typedef enum {
    BERTH_STOP_ORDERLY, /* power off; force when the grace is over */
    BERTH_STOP_FORCE,   /* at once */
} BerthStopHow;

typedef struct {
    char *state; /* "starting", "running", "stopping", "paused" */
    char *accel; /* "kvm" or "tcg" */
    guint keeper_pid;
    guint qemu_pid;
    gint64 uptime_usec; /* since the start, with what the host slept */
    guint sessions;
    char *kernel;      /* uname -r, or "" before the guest said hello */
    char *init;        /* "systemd", "berth", ... or "" */
    char *init_status; /* "running", "degraded", ... or "" */
    char *host_ports;  /* of the host, allowed until it stops: numbers and commas, or "" */
    char *reason;      /* why it is paused, or "" */
} BerthInstanceStatus;

void berth_instance_status_free(BerthInstanceStatus *status);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthInstanceStatus, berth_instance_status_free)

/* Callbacks of a call that waits for the distro: line gets each notice of a pause. */
typedef struct {
    void (*line)(const char *line, gpointer user_data); /* may be NULL */
    gpointer user_data;
    bool (*goes_on)(gpointer user_data); /* as in control_channel.h */
    gpointer goes_on_data;
} BerthWaiting;

/* Return when sessions can be opened and the init has finished starting (or init-timeout is over).
 * Errors: the keeper's reason why the guest did not come up. */
bool berth_control_wait(int fd, const BerthWaiting *waiting, GError **error);

/* Answers at once, in any state. NULL on error. */
BerthInstanceStatus *berth_control_status(int fd, GError **error);

/* The forwards, BerthForward*, sorted by port; free with g_ptr_array_unref. NULL on error. */
GPtrArray *berth_control_ports(int fd, GError **error);

/* Ask for the forwards now and at each change; read them with berth_control_watched. */
bool berth_control_watch(BerthChannel *channel, GError **error);

/* The next complete list in @channel, as of berth_control_ports; NULL without @error when there is
 * none yet (fill the channel then), or with *@ret_ended when the distro has stopped. *@partial
 * holds an incomplete list: NULL at first, the caller frees it. */
GPtrArray *berth_control_watched(BerthChannel *channel, GPtrArray **partial, bool *ret_ended,
                                 GError **error);

/* Add or remove the forward by @rule until the distro stops.
 * Errors: BERTH_ERROR_NOT_RUNNING, "instance.stopped". */
bool berth_control_set_rule(int fd, const BerthRule *rule, bool wanted, GError **error);

/* The report of the present start so far. NULL on error. */
BerthBootReport *berth_control_boot(int fd, GError **error);

/* Power the guest off; returns when QEMU and the keeper's runtime files are gone. */
bool berth_control_stop(int fd, BerthStopHow how, guint grace_sec, const BerthWaiting *waiting,
                        GError **error);

/* Grow the disk of a guest that is up to @size bytes; returns when its file system has grown.
 * Errors: BERTH_ERROR_NOT_RUNNING, "instance.stopped"; BERTH_ERROR_FAILED, "qmp.command"; once the
 * disk has the size, BERTH_ERROR_GUEST, "resize.guest"; BERTH_ERROR_BUSY, "resize.busy", while
 * another client's has not ended. */
bool berth_control_grow(int fd, guint64 size, const BerthWaiting *waiting, GError **error);

/* Replace the registry's list of host ports that the guest may reach (model/access.h).
 * Errors: "access.*". */
bool berth_control_set_host_ports(int fd, const char *ports, GError **error);

/* Let the guest reach one more port of the host until it stops; in any state.
 * Errors: "instance.isolated", "access.ports". */
bool berth_control_allow_host_port(int fd, guint16 port, GError **error);

/* The keeper's and the client's shared encoders. */
void berth_control_put_error(WireBuffer *buffer, const GError *error);
void berth_control_put_status(WireBuffer *buffer, const BerthInstanceStatus *status);
void berth_control_put_ports(WireBuffer *buffer, const GPtrArray *forwards);
void berth_control_put_boot(WireBuffer *buffer, const BerthBootReport *report);
/* Set @error from a CONTROL_ERROR frame. */
void berth_control_get_error(const WireFrame *frame, GError **error);

G_END_DECLS
