/* SPDX-License-Identifier: MIT
 *
 * guest_ends — what a guest keeps when one QEMU process hands it on to the next: its memory and
 * both ends of its agent's channel. Bytes that one QEMU has not read are there for the next.
 *
 * QEMU's end stays open here, so that the channel has no end-of-file when a QEMU ends: its owner
 * learns of that from qemu_process.
 *
 * Initialise with BERTH_GUEST_ENDS_INIT.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct {
    int agent;      /* ours, non-blocking; may be stolen */
    int qemu_agent; /* QEMU's */
    int memory;     /* an unnamed file; QEMU gives it its size */
} BerthGuestEnds;

#define BERTH_GUEST_ENDS_INIT                                                                      \
    {                                                                                              \
        .agent = -1, .qemu_agent = -1, .memory = -1                                                \
    }

/* Make those of a new guest; @ends are clear. Errors: errno's, "machine.qemu.*". */
bool berth_guest_ends_open(BerthGuestEnds *ends, GError **error);
/* A file for the memory of a guest, close-on-exec; or -1 with errno. */
int berth_guest_ends_memory(void);
void berth_guest_ends_clear(BerthGuestEnds *ends);

G_END_DECLS
