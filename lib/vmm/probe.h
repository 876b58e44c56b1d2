/* SPDX-License-Identifier: MIT
 *
 * probe — boots a machine's kernel briefly, to see whether it reaches user space.
 *
 * Blocks for at most the given limit; QEMU has exited on return. The result holds for one emulator,
 * kernel and set of options; callers cache it in a file named by their digest.
 */
#pragma once

#include "model/machine.h"

G_BEGIN_DECLS

typedef enum {
    BERTH_PROBE_WORKS,   /* the initramfs printed its marker */
    BERTH_PROBE_REFUSED, /* QEMU exited with an error before the guest wrote anything */
    BERTH_PROBE_FAILED,  /* the guest timed out or ended early, or QEMU was killed */
} BerthProbeKind;

typedef struct {
    BerthProbeKind kind;
    char *reason; /* one line; NULL when it works */
} BerthProbe;

void berth_probe_clear(BerthProbe *probe);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthProbe, berth_probe_clear)

/* Boot variant @index of @machine (model/machine.h) under @accel, KVM or TCG. @ret_probe must be
 * zeroed or cleared. False with @error when the probe could not run. Errors: those of qemu_args.h
 * and qemu_child.h; "vmm.probe.*". */
bool berth_probe_run(const BerthMachine *machine, guint index, BerthAccel accel, guint limit_msec,
                     BerthProbe *ret_probe, GError **error);

/* A digest of everything a probe of @machine under @accel depends on: emulator and kernel as files,
 * and the options with their alternatives. The caller may update it further. Free with
 * g_checksum_free. NULL on error, as berth_probe_run. */
GChecksum *berth_probe_digest(const BerthMachine *machine, BerthAccel accel, GError **error);

/* Delete the cached results in <cache_dir>/@name, best effort. */
void berth_probe_forget(const char *cache_dir, const char *name);

G_END_DECLS
