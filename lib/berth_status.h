/* SPDX-License-Identifier: MIT
 *
 * berth_status — this installation, and what all distros use of the host. A part of the public
 * interface (berth.h).
 */
#pragma once

#include "berth_handle.h"

G_BEGIN_DECLS

/* The versions of the kernel and the QEMU of a new distro; NULL: not found. Free with g_free. Runs
 * QEMU. */
void berth_versions(Berth *berth, char **ret_kernel, char **ret_emulator);

typedef struct {
    char *default_distro; /* or NULL */
    guint distros, running;
    guint64 disk_used, memory_used;
    char *emulator;                                  /* path of the QEMU program; NULL: not found */
    char *kernel;                                    /* path of the kernel; NULL: not found */
    char *accel;                                     /* the setting */
    guint64 memory;                                  /* of one distro, the limit */
    guint cpus;                                      /* of one distro */
    char *data, *config, *cache, *runtime, *support; /* directories */
} BerthStatus;

void berth_status_free(BerthStatus *status);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthStatus, berth_status_free)

BerthStatus *berth_status(Berth *berth, GError **error);

G_END_DECLS
