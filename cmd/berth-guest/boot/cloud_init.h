/* SPDX-License-Identifier: MIT
 *
 * cloud_init — user-data for the distro's own cloud-init, which the host has put into the
 * initramfs. It becomes a seed of cloud-init's NoCloud in /run, which the kernel's command line
 * names (lib/vmm/qemu_args.c): nothing of it is written to the disk.
 */
#pragma once

#include "handover.h"

#define CLOUD_SEED "/run/berth/cloud"

/* The user-data in the initramfs, to be opened before that is left. -1 when there is none. */
int cloud_open(void);

/* Put it into the seed, for root only. @data is closed; -1 is none. 0, or -errno. */
int cloud_keep(int data);

/* Complete the seed, if there is user-data: the instance is called @hostname. 0, or -errno. */
int cloud_describe(const char *hostname);

/* Why @init will make no use of the user-data there is; NULL: it will, or there is none. Static. */
const char *cloud_obstacle(InitKind init);
