/* SPDX-License-Identifier: MIT
 *
 * accel — which accelerator runs a machine: KVM where it is proven to, software emulation
 * otherwise.
 *
 * That /dev/kvm opens proves nothing: under some nested hypervisors QEMU then aborts or the guest
 * hangs. So the machine's kernel is booted under KVM until its user space says that it runs, once
 * for each (QEMU, kernel, template, processor, start of the host), within a limit. Of the machine's
 * alternatives (model/machine.h) the first that QEMU takes is tried. KVM is found not to work only
 * when the same guest runs under TCG; where it runs under neither, nothing is kept. The verdict is
 * kept in
 *
 *     <cache_dir>/accel/<digest of those>      verdict, variant and reason, three lines
 *
 * Blocking, a few seconds at most; see also emulator.h. No global state.
 */
#pragma once

#include "model/machine.h"

G_BEGIN_DECLS

/* Where to look and how long to wait. */
typedef struct {
    const char *kvm;            /* "/dev/kvm" */
    const char *processor;      /* "/proc/cpuinfo" */
    const char *boot_id;        /* "/proc/sys/kernel/random/boot_id" */
    guint limit_msec;           /* for the kernel to reach user space under KVM */
    guint emulation_limit_msec; /* and under TCG */
} BerthAccelHost;

/* Make machine->accel KVM or TCG and decide the machine's alternatives. Under TCG the kernel is
 * also told how fast the host's counter runs (lib/vmm/tsc.h), so call it once for each start. When
 * it has just been found that KVM does not work, with AUTO, or that no trial under TCG came up,
 * @ret_notice is one or two lines that say so, and NULL otherwise; free with g_free.
 * @cache_dir NULL: nothing is kept.
 * Errors: with KVM, BERTH_ERROR_NO_KVM "accel.kvm-unusable"; those of emulator.h; and whatever
 * keeps the machine from being started with either (lib/vmm/qemu_process.h, berth_qemu_check). */
bool berth_accel_resolve(BerthMachine *machine, const char *cache_dir, char **ret_notice,
                         GError **error);
bool berth_accel_resolve_on(const BerthAccelHost *host, BerthMachine *machine,
                            const char *cache_dir, char **ret_notice, GError **error);

/* Remove the verdicts in @cache_dir, and the answers of emulator.h: the next start proves anew. */
void berth_accel_forget(const char *cache_dir);

G_END_DECLS
