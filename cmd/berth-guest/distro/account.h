/* SPDX-License-Identifier: MIT
 *
 * account — the host's user in the distro, so that nobody has to make one: the same name, the same
 * number where that is free, the distro's skeleton and shell, in its group of administrators, with
 * sudo without a password.
 *
 * Made once, at the first start, by the distro's useradd or busybox's adduser, or by hand where
 * there is neither; and not where the distro has a user already. /var/lib/berth/user says that it
 * is done and who is the default user from then on; it is written last and after a sync.
 */
#pragma once

#include "wsl_settings.h"

#include "os/config.h"

#include <stddef.h>

/* Make in @root, the distro's /, the account @config asks for, unless that is done or the distro
 * has a user: one that
 * @settings or the host name, or a person's account. What went wrong is in @problem. */
void account_make(int root, const Config *config, const Settings *settings, char *problem,
                  size_t size);

/* The default user of sessions: that of the distro's owner, the host's, the one that was made; ""
 * is root. One that the distro does not have is named in @problem and passed over. */
void account_default(const Config *config, const Settings *settings, char user[65], char *problem,
                     size_t size);

/* Who was made so, or "". */
void account_marked(char user[65]);

/* From now on @who, a name or number, is the default user and no account is made. 0, or -errno. */
int account_mark(const char *who);
