/* SPDX-License-Identifier: MIT
 *
 * emulator — which of a machine's alternatives (model/machine.h) its emulator can do with.
 *
 * No table says what a version can, since distributions build and package QEMU as they like: the
 * variants are probed under TCG in order of preference, and the first whose kernel reaches user
 * space is it. The answer is kept for as long as emulator, kernel and template stay the same, in
 *
 *     <cache_dir>/emulator/<digest>      the variant's index, one line
 *
 * Where none got there the answer is unproven. It is kept too, so that not every start waits for
 * the limits again, but with the host's boot id as a second line, and for that boot only.
 *
 * Blocking: a second for the first answer, more on a busy host.
 */
#pragma once

#include "model/machine.h"

G_BEGIN_DECLS

#define BERTH_EMULATOR_LIMIT_MSEC 15000u /* for an emulated kernel to reach user space */

typedef struct {
    guint variant; /* to start the machine with */
    bool proven;   /* its kernel has reached user space; else no variant's has */
    bool fresh;    /* found by this call, and not by an earlier one */
} BerthEmulatorAnswer;

/* Find the variant to start @machine with. When none reaches user space within @limit_msec, but
 * QEMU takes one, it is the first of those: the start will show more.
 * @cache_dir NULL: nothing is kept.
 * Errors: BERTH_ERROR_FAILED, "vmm.qemu-refused": QEMU takes none of them; the message has its
 * words. Those of probe.h. */
bool berth_emulator_find(const BerthMachine *machine, guint limit_msec, const char *cache_dir,
                         BerthEmulatorAnswer *ret_answer, GError **error);

/* Remove the answers in @cache_dir: something they hang on may have changed unseen. */
void berth_emulator_forget(const char *cache_dir);

G_END_DECLS
