/* SPDX-License-Identifier: MIT
 *
 * environment — what a new command finds in its environment, built from nothing. In this order,
 * later ones win: the user's own variables, the distro's locale, /etc/environment, what PAM gave to
 * the user's login session, what the client offers and the distro knows, what the client insists
 * on. Never freed: this is for the moment between fork and exec.
 */
#pragma once

#include "distro/user.h"

typedef struct {
    char **strings; /* "NAME=value", NULL-terminated: fit for execve */
    size_t count;
} Environment;

/* Lists are of "NAME=value", NULL-terminated or NULL; anything else in them is left out. */
typedef struct {
    const User *user;
    pid_t login;          /* a process of the user's login session, or 0 (logins.h) */
    bool tty;             /* there is a terminal, so TERM must have some value */
    char *const *offered; /* by the client: see offer.h */
    char *const *given;   /* by the client */
} EnvironmentSources;

Environment environment_build(const EnvironmentSources *sources);

/* The value of @name, or NULL. */
const char *environment_get(const Environment *environment, const char *name);
