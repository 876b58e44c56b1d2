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
    int agent;       /* ours, non-blocking; may be stolen */
    int qemu_agent;  /* QEMU's */
    int memory;      /* an unnamed file; QEMU gives it its size */
    bool is_sealed;  /* nobody can write @memory any more: berth_guest_ends_seal */
    bool is_private; /* @memory is another guest's, sealed; what QEMU writes is its own */
} BerthGuestEnds;

#define BERTH_GUEST_ENDS_INIT                                                                      \
    {                                                                                              \
        .agent = -1, .qemu_agent = -1, .memory = -1                                                \
    }

/* Make those of a new guest; @ends are clear. Errors: errno's, "machine.qemu.*". */
bool berth_guest_ends_open(BerthGuestEnds *ends, GError **error);
/* A file for the memory of a guest, close-on-exec; or -1 with errno. */
int berth_guest_ends_memory(void);
/* Whether nobody can change the file @memory any more. */
bool berth_guest_ends_is_sealed(int memory);
/* Seal the memory of a guest without QEMU, so that other guests can map it privately: QEMU punches
 * holes into a file even then. The guest itself needs a copy to go on. False with errno. */
bool berth_guest_ends_seal(BerthGuestEnds *ends);
/* Copy what the file @from has to the empty file @to, for a guest that goes on. Blocking. False
 * with errno. */
bool berth_guest_ends_copy(int from, int to);
void berth_guest_ends_clear(BerthGuestEnds *ends);

G_END_DECLS
