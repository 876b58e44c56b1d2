/* SPDX-License-Identifier: MIT
 *
 * agent — serves the host over a Channel: sessions, power, listening sockets, and the progress of
 * the boot after PID 1 is handed over.
 *
 * One thread, one loop. PID 1 forks it before the hand-over, and it outlives every other process of
 * the distro. For tests it is an ordinary process on a socket (--agent), which exits when the peer
 * closes the socket or sends POWER.
 */
#pragma once

#include "host_channel.h"

#include "distro/wsl_settings.h"
#include "os/config.h"
#include "os/power.h"
#include "share/shares.h"

#include <sys/types.h>

typedef struct {
    Channel *channel;
    InitKind init;
    const char *user;         /* the default user; "": root, or the agent's own user */
    bool hello_sent;          /* PID 1 has sent HELLO on this connection */
    bool listeners;           /* report listening sockets */
    const char *device;       /* of loopback_proxies_new; NULL: no proxies */
    const Config *addresses;  /* of @device, for loopback_proxies_new; or NULL */
    const char *calls;        /* path of the socket for calls to the host; NULL: none */
    const char *cgroups;      /* of os/freezer.h and os/reclaim.h */
    const char *proc;         /* of os/reclaim.h */
    const char *timers;       /* root of the distro whose timers wake it (timers/plan.h); or NULL */
    bool in_machine;          /* the agent controls the clock, tracefs and PID 1 */
    int handover;             /* pipe of handover.h; -1: the init has finished starting */
    int notify;               /* socket of systemd's notifications, or -1 */
    mode_t umask;             /* of sessions */
    bool follow_zone;         /* follow the host's time zone */
    Config *config;           /* NAMES frames update its names; NULL: they are ignored */
    const Settings *settings; /* with @config */
    int root;                 /* with @config: the distro's / */
    Shares shares;            /* of the host; its descriptors become the agent's */
    uint32_t init_timeout_msec; /* how long the host shall wait for the init; 0: it decides */
} AgentOptions;

/* Returns the exit status of the process; the channel is closed then. */
int agent_run(const AgentOptions *options);
