/* SPDX-License-Identifier: MIT
 *
 * resolver — configures the distro's DNS: /etc/resolv.conf, and the files in /run from which
 * programs that may take over that file read berth's name server, including programs installed
 * later. Files in /run last until shutdown.
 *
 * @root is the directory the paths are relative to, a distro's /.
 */
#pragma once

#include "wsl_settings.h"

#include "os/config.h"

/* Write all files. resolv.conf becomes a regular file, since a link into the distro's resolver
 * would dangle until that runs. If network.generateResolvConf is false, only a resolv.conf of ours
 * is removed. 0, or -errno. */
int resolver_prepare(int root, const Config *config, const Settings *settings);

/* Apply changed search domains while the distro runs; a resolv.conf that is no longer ours is left
 * alone. 0, or -errno. */
int resolver_update(int root, const Config *config, const Settings *settings);

/* Restart a running systemd-resolved, so that it reads what resolver_update wrote; does not wait.
 */
void resolver_reload(void);
