/* SPDX-License-Identifier: MIT
 *
 * features — asks a QEMU over QMP what it was built with, without a machine.
 *
 * Blocks for at most BERTH_FEATURES_LIMIT_MSEC; QEMU has exited on return. The answers are searched
 * as text: json-glib would load GIO, which costs every command a millisecond (cmd/berth/json.h).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_FEATURES_LIMIT_MSEC 5000u

typedef struct {
    bool ignore_shared; /* migration leaves out shared memory: x-ignore-shared */
    bool io_uring;      /* disks can use io_uring */
} BerthFeatures;

/* Ask @emulator, a name on PATH or a path. Errors: those of qemu_child.h; BERTH_ERROR_FAILED,
 * "vmm.features" when it does not answer, with QEMU's own message. */
bool berth_features_ask(const char *emulator, BerthFeatures *ret_features, GError **error);

G_END_DECLS
