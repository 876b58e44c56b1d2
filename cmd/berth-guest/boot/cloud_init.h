/* SPDX-License-Identifier: MIT
 *
 * cloud_init — user-data for the distro's own cloud-init, which the host has put into the
 * initramfs. It becomes a seed of cloud-init's NoCloud in /run, which the kernel's command line
 * names (lib/vmm/qemu_args.c): nothing of it is written to the disk.
 */
#pragma once

#include "handover.h"

#define CLOUD_SEED "/run/berth/cloud"

/* Open the user-data in the initramfs; call before the switch of the root. -1: there is none. */
int cloud_open(void);

/* Copy it into the seed, readable by root only. Closes @data; -1: nothing to do. 0, or -errno. */
int cloud_keep(int data);

/* Complete the seed, if there is user-data, for an instance named @hostname. 0, or -errno. */
int cloud_describe(const char *hostname);

/* Why @init will ignore the user-data, a static string; NULL: it will use it, or there is none. */
const char *cloud_obstacle(InitKind init);
