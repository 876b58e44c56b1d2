/* SPDX-License-Identifier: MIT
 *
 * identity — who the distro believes it is: host name, /etc/hosts, time zone.
 *
 * Each function returns 0, or -errno; none is worth stopping a boot for. Files are written only
 * when they change, and in one step; those of the distro's keep what is not berth's, their owner,
 * mode and links (edit.h). @root is the directory they are below, a distro's /.
 */
#pragma once

#include "wsl_settings.h"

#include "os/config.h"

/* Set @config's host name by network.hostname. */
void identity_choose_hostname(Config *config, const Settings *settings);

/* The kernel's host name. */
int identity_set_hostname(const Config *config);

/* /etc/hostname, since every init sets the kernel's from it. */
int identity_hostname(int root, const Config *config, const Settings *settings);

/* Our block in /etc/hosts, between two marks: the distro, the host, the host's own names. What
 * others wrote there stays. Left alone where network.generateHosts is false. */
int identity_hosts(int root, const Config *config, const Settings *settings);

/* /etc/localtime, where the distro has the zone and time.useWindowsTimezone is not false. */
int identity_time_zone(int root, const Config *config, const Settings *settings);

/* The same for the Olson name @zone, in the process's own root. */
int identity_set_zone(const char *zone);
