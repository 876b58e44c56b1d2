/* SPDX-License-Identifier: MIT
 *
 * environment — builds the environment of a new command from scratch. Sources in this order, later
 * ones win: defaults for the user, the distro's locale, /etc/environment, variables of the user's
 * login session (PAM), offered variables the distro supports (offer.h), variables the client sets.
 * Never freed: the child builds it between fork and exec.
 */
#pragma once

#include "distro/user.h"

typedef struct {
    char **strings; /* "NAME=value", NULL-terminated, for execve */
    size_t count;
} Environment;

/* Lists hold "NAME=value", NULL-terminated, or are NULL; malformed strings are ignored. */
typedef struct {
    const User *user;
    pid_t login;          /* a process of the user's login session (logins.h); 0: none */
    bool tty;             /* the command has a terminal: TERM is always set */
    char *const *offered; /* by the client, subject to offer.h */
    char *const *given;   /* by the client, set in any case */
} EnvironmentSources;

Environment environment_build(const EnvironmentSources *sources);

/* Whether @pair names a service of the host that @user may use: SSH_AUTH_SOCK for the owner of that
 * socket, BROWSER also for root. */
bool environment_serves(const User *user, const char *pair);

/* The value of @name, or NULL. */
const char *environment_get(const Environment *environment, const char *name);
