/* SPDX-License-Identifier: MIT
 *
 * accel — selects a machine's accelerator: KVM where a probe proves that it works, TCG otherwise.
 *
 * An openable /dev/kvm proves nothing: under some nested hypervisors QEMU aborts or the guest
 * hangs. So the probe boots the machine's kernel under KVM until its user space reports, once for
 * each (QEMU, kernel, template, processor, boot of the host), within a time limit. It uses the
 * first of the machine's alternatives (model/machine.h) that QEMU accepts. KVM is judged broken
 * only when the same guest runs under TCG; if it runs under neither, nothing is cached. The verdict
 * is cached in
 *
 *     <cache_dir>/accel/<digest of those>      verdict, variant and reason, three lines
 *
 * Blocks for a few seconds at most; see also emulator.h. No global state.
 */
#pragma once

#include "model/machine.h"

G_BEGIN_DECLS

/* Paths and limits of the probe. */
typedef struct {
    const char *kvm;            /* "/dev/kvm" */
    const char *processor;      /* "/proc/cpuinfo" */
    const char *boot_id;        /* "/proc/sys/kernel/random/boot_id" */
    guint limit_msec;           /* for the kernel to reach user space under KVM */
    guint emulation_limit_msec; /* and under TCG */
} BerthAccelHost;

/* Set machine->accel to KVM or TCG and settle the machine's alternatives. Under TCG also add the
 * TSC frequency to the kernel's arguments (lib/vmm/tsc.h), so call once for each start. @ret_notice
 * is one or two lines when, with AUTO, KVM was just found broken, or when no probe under TCG
 * reached user space; otherwise NULL. Free with g_free. @cache_dir NULL: no cache. Errors: with
 * KVM, BERTH_ERROR_NO_KVM "accel.kvm-unusable"; those of emulator.h; and errors that prevent a
 * start with either (lib/vmm/qemu_process.h, berth_qemu_check). */
bool berth_accel_resolve(BerthMachine *machine, const char *cache_dir, char **ret_notice,
                         GError **error);
bool berth_accel_resolve_on(const BerthAccelHost *host, BerthMachine *machine,
                            const char *cache_dir, char **ret_notice, GError **error);

/* What is known about KVM without a probe. */
typedef struct {
    bool known;       /* a start of the machine needs no probe */
    char *reason;     /* why KVM does not work, one line; NULL: it works, is not known or not used */
    const char *hint; /* with a reason; static */
} BerthAccelReport;

void berth_accel_report_clear(BerthAccelReport *report);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthAccelReport, berth_accel_report_clear)

/* Read what @cache_dir has about @machine, whose accelerator is not yet resolved. Errors: those of
 * berth_probe_digest. */
bool berth_accel_look(const BerthMachine *machine, const char *cache_dir,
                      BerthAccelReport *ret_report, GError **error);

/* Delete the cached verdicts in @cache_dir and those of emulator.h: the next start probes again. */
void berth_accel_forget(const char *cache_dir);

G_END_DECLS
