/* SPDX-License-Identifier: MIT
 *
 * boot — PID 1 from the kernel to the distro's init: runs a table of stages in order, times each
 * and reports it to the host.
 */
#pragma once

#include "handover.h"

#include "agent/host_channel.h"
#include "distro/wsl_settings.h"
#include "os/config.h"
#include "share/shares.h"

#include <stdbool.h>
#include <stddef.h>

/* State shared by the stages. */
typedef struct {
    uint64_t entered_usec; /* clock_boottime_usec at the start of PID 1 */
    Channel channel;
    bool has_channel;
    Config config;
    bool mismatch; /* the host is of another version of berth */
    Settings settings;
    bool has_disk;
    int root;      /* the distro's /, or -1 */
    char user[65]; /* the default user of sessions */
    Init init;     /* what PID 1 will become */
    int notify;    /* socket of systemd's notifications, or -1 */
    Shares shares; /* of the host */
    int handover;  /* our end of the pipe to the agent, or -1 */
    char **argv;   /* main's; set_title overwrites it */
} Boot;

/* A stage stores its failure in @problem, or leaves it empty. */
typedef void (*StageFunction)(Boot *boot, char *problem, size_t size);

typedef struct {
    const char *name; /* shown in the host's boot timeline */
    StageFunction function;
    bool fatal;  /* on failure power off, except in a rescue */
    bool rescue; /* also runs in a rescue, which changes nothing of the distro */
} Stage;

/* Never returns: execs the distro's init, or runs small_init, or powers off after a fatal stage
 * failed. @argv is main's. */
__attribute__((noreturn)) void boot(char **argv);
