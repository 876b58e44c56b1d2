/* SPDX-License-Identifier: MIT
 *
 * agent — serves the host over a Channel: sessions, power, the listening sockets, and word of how
 * the boot goes on after PID 1 was handed over.
 *
 * One thread, one loop. It is forked by PID 1 before the hand-over and outlives everything in the
 * distro; or it is an ordinary process on a socket (--agent), for tests, where it ends when the
 * other side closes or says POWER.
 */
#pragma once

#include "host_channel.h"

#include "distro/wsl_settings.h"
#include "os/config.h"
#include "os/power.h"

#include <sys/types.h>

typedef struct {
    Channel *channel;
    InitKind init;
    const char *user;   /* the default user; "" is root, or whoever runs the agent */
    bool hello_sent;    /* PID 1 has said hello on this connection */
    bool listeners;     /* report listening sockets */
    const char *device; /* doors to them are on it (loopback_proxies.h), or NULL: there are none */
    const Config *addresses;  /* its own, for doors next to it; or NULL */
    bool in_machine;          /* whether the clock, tracefs and PID 1 are ours to touch */
    int handover;             /* see handover.h; or -1: the init has finished starting */
    int notify;               /* systemd's notifications arrive here, or -1 */
    mode_t umask;             /* of sessions */
    bool oobe;                /* a session may change the default user: oobe.h */
    bool follow_zone;         /* the host's time zone, as it changes */
    Config *config;           /* the host's names in it follow the host's; NULL: they do not */
    const Settings *settings; /* beside it */
    int root;                 /* the distro's /, for the files that they are in */
    uint32_t
        init_timeout_msec; /* what the distro wants the host to wait for its init; 0: nothing */
} AgentOptions;

/* Returns the exit status of the process; the channel is closed then. */
int agent_run(const AgentOptions *options);
