/* SPDX-License-Identifier: MIT
 *
 * session_environment — the environment variables that a command takes along into its distro.
 *
 * Always: the terminal type, locale, time zone and proxies. On request: --env, and BERTH_ENV, which
 * has the syntax of WSL's WSLENV: names separated by colons, each with optional /flags: u only into
 * the distro, w only out of it, p a path, l a list of paths. Entries with unknown flags are
 * skipped. Relative paths are made absolute.
 */
#pragma once

#include "command.h"

typedef struct {
    GPtrArray *given;   /* "K=V", NULL-terminated: set for the command */
    GPtrArray *offered; /* "K=V", NULL-terminated: set only if the distro supports the value */
    GArray
        *ports; /* guint16: of proxies on our loopback, which the guest must be allowed to reach */
} SessionEnvironment;

void session_environment_clear(SessionEnvironment *environment);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SessionEnvironment, session_environment_clear)

/* Collect the variables, including those of --env in @invocation. @tty: the command gets our
 * terminal. Errors: "usage.value". */
bool session_environment_build(const Invocation *invocation, bool tty,
                               SessionEnvironment *ret_environment, GError **error);

/* Offer the services of the host that the settings of the distro @name allow. */
void session_environment_offer_services(SessionEnvironment *environment, Berth *berth,
                                        const char *name);

/* Add the variable that names the distro; a value set by the user wins. */
void session_environment_set_distro(SessionEnvironment *environment, const char *name);
