/* SPDX-License-Identifier: MIT
 *
 * account — creates an account for the host's user in the distro: the same name, the same UID if it
 * is free, the distro's skeleton and shell, member of its administrators' group, sudo without a
 * password.
 *
 * Created once, at the first start, by the distro's useradd or busybox's adduser, else by
 * account_files.h; not in a distro that has a user. /var/lib/berth/user marks that it is done and
 * names the default user from then on; it is written last, after a sync.
 */
#pragma once

#include "wsl_settings.h"

#include "os/config.h"

#include <stddef.h>

/* Create the account that @config names, below @root, the distro's /. Does nothing if that is done,
 * if @settings or the host name a default user, or if the distro has a person's account. A failure
 * is stored in @problem. */
void account_make(int root, const Config *config, const Settings *settings, char *problem,
                  size_t size);

/* Get the default user of sessions: of the distro's owner, of the host, or the created account; "":
 * root. A user missing in the distro is skipped and named in @problem. */
void account_default(const Config *config, const Settings *settings, char user[65], char *problem,
                     size_t size);

/* The default user in /var/lib/berth/user, or "". */
void account_marked(char user[65]);

/* Make @who (name or UID) the default user; no account is created any more. 0, or -errno. */
int account_mark(const char *who);
