/* SPDX-License-Identifier: MIT
 *
 * passing — what of this environment goes along with a command into its distro.
 *
 * By itself: the terminal's name, the language, the time zone and the proxies. By the user's word:
 * --env, and BERTH_ENV, a list as WSL's WSLENV is: names separated by colons, each perhaps with a
 * slash and flags: u only into the distro, w only out of it, p a path, l a list of paths; an entry
 * with any other flag is passed over. Paths arrive absolute.
 */
#pragma once

#include "command.h"

typedef struct {
    GPtrArray *environment; /* "K=V", NULL-terminated: the command has these */
    GPtrArray *offered;     /* the same: where the distro knows them */
    GArray *ports; /* guint16: of proxies on our loopback, which the guest must be let to */
} Passing;

void passing_clear(Passing *passing);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Passing, passing_clear)

/* With the values of --env in @invocation. @tty: the command gets our terminal.
 * Errors: "usage.value". */
bool passing_build(const Invocation *invocation, bool tty, Passing *ret_passing, GError **error);

/* Say in which distro the command is; what is given otherwise wins. */
void passing_set_distro(Passing *passing, const char *name);
