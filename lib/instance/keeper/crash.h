/* SPDX-License-Identifier: MIT
 *
 * crash — why a QEMU that nobody had asked to end has ended, in words.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* All borrowed. */
typedef struct {
    const char *name;       /* of the distro */
    const char *stage;      /* the boot stage that failed and why, or NULL */
    bool no_disk;           /* that was the one which mounts the disk */
    const char *qemu_words; /* the last line QEMU wrote, or "" */
    const char *panic;      /* the guest's kernel's, or NULL */
    bool guest_ended;       /* the guest powered off or rebooted */
    int wait_status;        /* of QEMU */
} BerthCrash;

/* BERTH_ERROR_GUEST, "instance.panic", "instance.disk", "instance.boot-stage", "instance.boot";
 * BERTH_ERROR_FAILED, "instance.qemu". The hint names the log. */
GError *berth_crash_error(const BerthCrash *crash);

G_END_DECLS
