/* SPDX-License-Identifier: MIT
 *
 * boot — PID 1 from the kernel to the distro's init: a table of stages, run in order, each timed
 * and reported to the host.
 */
#pragma once

#include "handover.h"

#include "agent/host_channel.h"
#include "distro/wsl_settings.h"
#include "os/config.h"

#include <stdbool.h>
#include <stddef.h>

/* What the stages hand on to each other. */
typedef struct {
    uint64_t entered_usec; /* when the kernel was done */
    Channel channel;
    bool has_channel;
    Config config;
    bool mismatch; /* the host is of another version of berth */
    Settings settings;
    bool has_disk;
    int root;      /* the distro's /, or -1 */
    char user[65]; /* the default one of sessions */
    Init init;     /* what PID 1 will become */
    int notify;    /* systemd's notifications, or -1 */
    int handover;  /* our end of the pipe to the agent, or -1 */
    char **argv;   /* main's, to be renamed in */
} Boot;

/* A stage says in @problem what went wrong, or leaves it empty. */
typedef void (*StageFunction)(Boot *boot, char *problem, size_t size);

typedef struct {
    const char *name; /* in the host's time line */
    StageFunction function;
    bool fatal;  /* without it there is nothing to go on with: power off, unless for a rescue */
    bool rescue; /* also at a start for a rescue, which touches nothing of the distro's */
} Stage;

/* Never returns: becomes the distro's init, or stays as the small one, or powers the machine off
 * when a fatal stage has failed. @argv is main's. */
__attribute__((noreturn)) void boot(char **argv);
