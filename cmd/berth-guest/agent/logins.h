/* SPDX-License-Identifier: MIT
 *
 * logins — login sessions in a distro with systemd: one PAM session for each user who runs
 * commands, as `loginctl`, `systemctl --user` and others expect.
 *
 * This static program cannot load PAM modules, and nothing is installed into the distro. So a unit
 * in /run, berth-session@UID.service, opens the session (PAMName=login) and holds it with a blocked
 * shell, the holder, which `ps` shows as "/bin/sh /run/berth/berth-session UID". The holder reports
 * its pid through a FIFO owned by the user; commands then start in its control group, with its
 * environment and limits, without PAM or D-Bus.
 *
 *     none      no command has asked, or the holder ended (loginctl terminate-session ...)
 *     starting  systemctl is starting the unit; commands wait
 *     open      the holder's pid, pidfd and control group are known
 *     failed    no PAM, no systemctl, or a timeout: commands run without a session; the next one
 *               after a delay retries
 *
 * multi-user.target wants the default user's unit, so that this session opens during the boot. A
 * Login is valid until the next turn of the loop.
 */
#pragma once

#include "distro/user.h"
#include "os/loop.h"

#include <stdbool.h>
#include <sys/types.h>

typedef struct {
    pid_t holder; /* 0: no login session */
    int cgroup;   /* descriptor of its control group's directory; -1: none */
} Login;

#define LOGIN_NONE                                                                                 \
    {                                                                                              \
        0, -1                                                                                      \
    }

/* Called when the session of @uid has opened, or has failed (@login is LOGIN_NONE). */
typedef void (*LoginsReady)(void *data, uid_t uid, const Login *login);

/* Write the unit and enable it for the default user. PID 1 calls this before systemd starts. 0, or
 * -errno with the path in *ret_what. */
int logins_prepare(const DefaultUsers *defaults, const char **ret_what);

#define LOGINS_DIRECTORY "/run/berth/logins"

typedef struct {
    const char *directory;      /* of the FIFOs: LOGINS_DIRECTORY */
    const char *path;           /* PATH with systemctl */
    uint64_t (*now_usec)(void); /* CLOCK_BOOTTIME, which no program can set */
} LoginsSystem;

typedef struct Logins Logins;

/* @system is borrowed. NULL when out of memory, or when logins_prepare was not called. */
Logins *logins_new(Loop *loop, const LoginsSystem *system, LoginsReady ready, void *data);
void logins_free(Logins *logins); /* NULL is allowed */

/* Get the session in which a command of @uid starts. False: it must wait for LoginsReady. */
bool logins_get(Logins *logins, uid_t uid, Login *ret_login);

/* Report the end of a child, which may be this module's systemctl. */
void logins_reaped(Logins *logins, pid_t pid, int wait_status);
