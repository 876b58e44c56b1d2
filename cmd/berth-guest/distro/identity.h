/* SPDX-License-Identifier: MIT
 *
 * identity — sets the distro's host name, /etc/hosts and time zone.
 *
 * Functions return 0, or -errno; failures are not fatal to a boot. Files are written only if they
 * change, and atomically; content that is not berth's, owner, mode and links are kept (edit.h).
 * @root is the distro's /.
 */
#pragma once

#include "wsl_settings.h"

#include "os/config.h"

/* Set the host name in @config from network.hostname, if that is set. */
void identity_choose_hostname(Config *config, const Settings *settings);

/* Set the kernel's host name. */
int identity_set_hostname(const Config *config);

/* Write /etc/hostname, from which every init sets the kernel's host name. */
int identity_hostname(int root, const Config *config, const Settings *settings);

/* Write berth's block in /etc/hosts, between two marker lines: the distro, the host and the host's
 * own names. Other lines are kept. Does nothing if network.generateHosts is false. */
int identity_hosts(int root, const Config *config, const Settings *settings);

/* Set /etc/localtime if the distro has the zone and time.useWindowsTimezone is not false. */
int identity_time_zone(int root, const Config *config, const Settings *settings);

/* The same for the Olson name @zone, in the root of the process. */
int identity_set_zone(const char *zone);
