/* SPDX-License-Identifier: MIT
 *
 * request — what the host says about one ssh connection.
 *
 * The keys come in the environment of the session, which in the guest only root can read.
 */
#pragma once

#include <stdbool.h>

typedef struct {
    const char *user;         /* logs in; in the distro's passwd */
    const char *host_key;     /* private, as OpenSSH writes it */
    const char *dropbear_key; /* the same as dropbear reads it, in hexadecimal digits */
    const char *client_key;   /* public: a line of authorized_keys */
    char *offered;            /* lines "NAME=value", or NULL */
} SshRequest;

/* Copy the request of @user out of the environment, which is cleared. False: something is missing.
 * Never freed: the process becomes a server. */
bool request_read(const char *user, SshRequest *ret_request);

/* The lines of @text, which is changed, as a list; NULL: none. Never freed. */
char **request_lines(char *text);
