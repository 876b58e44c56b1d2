/* SPDX-License-Identifier: MIT
 *
 * resolver — the distro's DNS: /etc/resolv.conf, and for each program that may take that file over,
 * now or when it is installed while the machine runs, the place in /run where it finds the server
 * that berth gives. What is in /run is for this start; a program that is not there does not read
 * it.
 *
 * @root is the directory the files are below, a distro's /.
 */
#pragma once

#include "wsl_settings.h"

#include "os/config.h"

/* Write all of them. resolv.conf becomes a file of its own: a link into the distro's resolver leads
 * to nothing before that runs. Where network.generateResolvConf is false all is left alone, but a
 * resolv.conf of ours goes. 0, or -errno. */
int resolver_prepare(int root, const Config *config, const Settings *settings);

/* The search domains are others: the same while the distro runs, where resolv.conf is ours still.
 */
int resolver_update(int root, const Config *config, const Settings *settings);

/* Have a systemd-resolved that runs read its configuration again; returns at once. */
void resolver_reload(void);
