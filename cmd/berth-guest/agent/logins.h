/* SPDX-License-Identifier: MIT
 *
 * logins — the login sessions of a distro with systemd: one PAM session for each user who runs
 * commands, as everything from `loginctl` to `systemctl --user` expects.
 *
 * PAM's modules cannot be loaded into this static program, and nothing is installed into the
 * distro. So a unit of /run, berth-session@UID.service, opens the session (PAMName=login) and holds
 * it with a shell that waits, which `ps` shows as "/bin/sh /run/berth/berth-session UID". The holder
 * reports itself through a FIFO of the user's; commands are then born in its control group, with
 * its environment and limits, without PAM or D-Bus.
 *
 *     none      nobody has asked, or the holder has gone (loginctl terminate-session ...)
 *     starting  systemctl was asked to start the unit; commands wait
 *     open      the holder's pid, pidfd and control group are known
 *     failed    no PAM, no systemctl, or not in time: commands run without a session; tried again
 *               after a while
 *
 * The default user's unit is wanted by multi-user.target, so that its session opens as a part of
 * the boot. A Login is valid until the loop turns.
 */
#pragma once

#include "distro/user.h"
#include "os/loop.h"

#include <stdbool.h>
#include <sys/types.h>

typedef struct {
    pid_t holder; /* 0: no login session */
    int cgroup;   /* the directory of its control group; -1: none */
} Login;

#define LOGIN_NONE                                                                                 \
    {                                                                                              \
        0, -1                                                                                      \
    }

/* The session of @uid has opened, or will not: for who waits. */
typedef void (*LoginsReady)(void *data, uid_t uid, const Login *login);

/* PID 1, before systemd: write the unit, and want it for the default user. 0, or -errno with
 * the path in *ret_what. */
int logins_prepare(const DefaultUsers *defaults, const char **ret_what);

typedef struct Logins Logins;

/* NULL when there is no memory, or logins_prepare has not been called. */
Logins *logins_new(Loop *loop, LoginsReady ready, void *data);
void logins_free(Logins *logins); /* NULL is fine */

/* True: *ret_login is how a command of @uid starts. False: it has to wait. */
bool logins_get(Logins *logins, uid_t uid, Login *ret_login);

/* A child has ended; it may have been one of ours. */
void logins_reaped(Logins *logins, pid_t pid, int wait_status);
