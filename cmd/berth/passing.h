/* SPDX-License-Identifier: MIT
 *
 * passing — the environment variables that a command takes along into its distro.
 *
 * Always: the terminal type, locale, time zone and proxies. On request: --env, and BERTH_ENV, which
 * has the syntax of WSL's WSLENV: names separated by colons, each with optional /flags: u only into
 * the distro, w only out of it, p a path, l a list of paths. Entries with unknown flags are
 * skipped. Relative paths are made absolute.
 */
#pragma once

#include "command.h"

typedef struct {
    GPtrArray *environment; /* "K=V", NULL-terminated: set for the command */
    GPtrArray *offered;     /* "K=V", NULL-terminated: set only if the distro supports the value */
    GArray
        *ports; /* guint16: of proxies on our loopback, which the guest must be allowed to reach */
} Passing;

void passing_clear(Passing *passing);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Passing, passing_clear)

/* Collect the variables, including those of --env in @invocation. @tty: the command gets our
 * terminal. Errors: "usage.value". */
bool passing_build(const Invocation *invocation, bool tty, Passing *ret_passing, GError **error);

/* Add the variable that names the distro; a value set by the user wins. */
void passing_set_distro(Passing *passing, const char *name);
