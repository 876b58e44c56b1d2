/* SPDX-License-Identifier: MIT
 *
 * probe — boots a machine's kernel for a moment, to see whether it reaches user space.
 *
 * Blocking, up to the given limit; the QEMU is gone afterwards. A probe proves one emulator, kernel
 * and set of options; its result can be kept in a file whose name is a digest of those.
 */
#pragma once

#include "model/machine.h"

G_BEGIN_DECLS

typedef enum {
    BERTH_PROBE_WORKS,   /* the initramfs has said its marker */
    BERTH_PROBE_REFUSED, /* QEMU exited with an error before the guest had said anything */
    BERTH_PROBE_FAILED,  /* the guest did not get there in time, or ended; or QEMU was killed */
} BerthProbeKind;

typedef struct {
    BerthProbeKind kind;
    char *reason; /* one line; NULL when it works */
} BerthProbe;

void berth_probe_clear(BerthProbe *probe);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthProbe, berth_probe_clear)

/* Boot variant @index of @machine (model/machine.h) under @accel, KVM or TCG. @ret_probe is to be
 * zero or cleared. False with @error when it could not even be tried.
 * Errors: those of qemu_args.h and qemu_child.h; "vmm.probe.*". */
bool berth_probe_run(const BerthMachine *machine, guint index, BerthAccel accel, guint limit_msec,
                     BerthProbe *ret_probe, GError **error);

/* A digest of all that the result of a probe of @machine under @accel hangs on: emulator and kernel
 * as files, and the options with their alternatives. To be continued with what else counts.
 * Free with g_checksum_free. NULL on error, as berth_probe_run. */
GChecksum *berth_probe_digest(const BerthMachine *machine, BerthAccel accel, GError **error);

/* Remove all results kept in <cache_dir>/@name. One that cannot be removed stays. */
void berth_probe_forget(const char *cache_dir, const char *name);

G_END_DECLS
