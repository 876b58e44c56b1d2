/* SPDX-License-Identifier: MIT
 *
 * emulator — finds out which of a machine's alternatives (model/machine.h) its QEMU supports.
 *
 * Distributions build and package QEMU differently, so the version is not enough. The variants are
 * probed under TCG in order of preference; the first whose kernel reaches user space wins. The
 * answer is cached while emulator, kernel and template stay the same, in
 *
 *     <cache_dir>/emulator/<digest>      the variant's index, one line
 *
 * If no variant reaches user space the answer is unproven. It is cached too, to spare later starts
 * the time limits, with the host's boot id as a second line, and expires at the next boot.
 *
 * Blocks: a second for the first answer, more on a busy host.
 */
#pragma once

#include "model/machine.h"

G_BEGIN_DECLS

#define BERTH_EMULATOR_LIMIT_MSEC 15000u /* for an emulated kernel to reach user space */

typedef struct {
    guint variant; /* to start the machine with */
    bool proven;   /* its kernel reached user space; false: no variant's did */
    bool fresh;    /* from this call, not from the cache */
} BerthEmulatorAnswer;

/* Find the variant to start @machine with: the first that reaches user space within @limit_msec,
 * otherwise the first that QEMU accepts, whose start will then show the error. @cache_dir NULL: no
 * cache. Errors: BERTH_ERROR_FAILED, "vmm.qemu-refused" when QEMU accepts none, with QEMU's own
 * message; those of probe.h. */
bool berth_emulator_find(const BerthMachine *machine, guint limit_msec, const char *cache_dir,
                         BerthEmulatorAnswer *ret_answer, GError **error);

/* Whether @cache_dir has a valid answer for @machine. */
bool berth_emulator_is_known(const BerthMachine *machine, const char *cache_dir);

/* Delete the cached answers in @cache_dir, for inputs that changed without changing the digest. */
void berth_emulator_forget(const char *cache_dir);

G_END_DECLS
