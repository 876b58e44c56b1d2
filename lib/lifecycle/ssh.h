/* SPDX-License-Identifier: MIT
 *
 * ssh — writes OpenSSH's configuration for distros.
 */
#pragma once

#include "handle.h"

G_BEGIN_DECLS

/* The configuration for @name, or with NULL for every distro there is. Makes keys that are not
 * there. The default user of a distro that runs is asked for; that of a distro named here is, too,
 * where it was never known, and starts it. Free with g_free. *@ret_notice as berth_start_connect's.
 * Errors: those of berth_start_connect and berth_ssh_keys_make; "ssh.path", "ssh.guest". */
char *berth_ssh_text(Berth *berth, const char *name, char **ret_notice, GError **error);

/* Write that for every distro into berth's file, and have ~/.ssh/config include it. *@ret_added:
 * the line there is new. *@ret_path and *@ret_config are the two files; free with g_free.
 * Errors: also those of berth_ssh_config_install. */
bool berth_ssh_install(Berth *berth, char **ret_path, char **ret_config, bool *ret_added,
                       GError **error);

/* Whether the line in ~/.ssh/config has been installed. */
bool berth_ssh_is_installed(Berth *berth);

/* Write berth's file again where it has been installed: the distros, or a name or a user of theirs
 * have changed. A failure is a notice (the handle's `waiting`). */
void berth_ssh_refresh(Berth *berth);

/* The default user of @distro, over the connection @fd of berth_start_connect; recorded
 * with its keys. Free with g_free. Errors: "ssh.guest", "session.*". */
char *berth_ssh_ask_user(Berth *berth, const BerthDistro *distro, int fd, GError **error);

G_END_DECLS
