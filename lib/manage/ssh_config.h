/* SPDX-License-Identifier: MIT
 *
 * ssh_config — the text of OpenSSH's configuration for distros, and the line in the user's own file
 * that includes it.
 *
 * Strings that are returned are the caller's; free with g_free.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_SSH_SUFFIX ".berth" /* of a distro's name, as ssh knows it */

typedef struct {
    const char *name;       /* of the distro */
    const char *user;       /* its default user */
    const char *program;    /* absolute path of berth */
    const char *client_key; /* absolute paths */
    const char *known_hosts;
} BerthSshHost;

/* Whether @path can be written in a configuration: ssh has no way to write a line break. Errors:
 * BERTH_ERROR_INVALID, "ssh.path". */
bool berth_ssh_config_check(const char *path, GError **error);

/* A block for one distro; the paths have been checked. */
char *berth_ssh_config_host(const BerthSshHost *host);

/* The block for all other names that end in .berth: berth says what is wrong with them. */
char *berth_ssh_config_others(const char *program);

/* The line that includes the file @path. */
char *berth_ssh_config_include(const char *path);

/* @text, a user's configuration, with the line @include before everything else. NULL: it is there
 * already, where it has effect on every host. */
char *berth_ssh_config_with(const char *text, const char *include);

/* Write berth's own file @path and add its line to the user's @config, both only where they differ.
 * *@ret_added: the line is new. A @config that is a link is followed and stays one; its mode stays;
 * it is replaced as a whole or not at all. Errors: errno's and BERTH_ERROR_FAILED, "ssh.write",
 * "ssh.config.*". */
bool berth_ssh_config_install(const char *path, const char *text, const char *config,
                              bool *ret_added, GError **error);

/* Write @path alone. Errors: "ssh.write". */
bool berth_ssh_config_write(const char *path, const char *text, GError **error);

G_END_DECLS
