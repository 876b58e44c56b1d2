/* SPDX-License-Identifier: MIT
 *
 * crash — the error for a QEMU that ended without being asked to.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* All borrowed. */
typedef struct {
    const char *name;       /* of the distro */
    const char *stage;      /* the boot stage that failed, and why; or NULL */
    bool no_disk;           /* the failed stage is the one that mounts the disk */
    const char *qemu_words; /* the last line QEMU wrote, or "" */
    const char *panic;      /* the guest kernel's panic message, or NULL */
    bool guest_ended;       /* the guest powered off or rebooted */
    int wait_status;        /* QEMU's, as of waitpid() */
} BerthCrash;

/* BERTH_ERROR_GUEST, "instance.panic", "instance.disk", "instance.boot-stage", "instance.boot";
 * BERTH_ERROR_FAILED, "instance.qemu". The hint names the log. */
GError *berth_crash_error(const BerthCrash *crash);

G_END_DECLS
