/* SPDX-License-Identifier: MIT
 *
 * device_state — moves a stopped guest from one QEMU process to the next: all but its memory, which
 * is a file that both have (guest_ends).
 *
 *     save: stop, ..._save -> bytes; that QEMU may end
 *     load: a QEMU of the same machine that waits (BerthQemuGuest.wakes), ..._load; cont
 *
 * Uses QEMU's migration with x-ignore-shared. Where a QEMU lacks that capability the memory is part
 * of the bytes; `save` says which, and `load` must be given the same.
 *
 * The bytes fit one memory: once the guest has continued, load them no more.
 *
 * Errors: BERTH_ERROR_FAILED "vmm.state.failed", "qmp.command"; errno's, "vmm.state.*"; those of a
 * QMP connection that ended.
 *
 * On the thread-default GMainContext. The callback comes once, from the loop, unless the operation
 * is freed before; it must not free the operation or the QMP client.
 */
#pragma once

#include "qmp.h"

G_BEGIN_DECLS

typedef struct BerthDeviceState BerthDeviceState;

/* @state is NULL with @error, and after a load. */
typedef void (*BerthDeviceStateFunc)(GBytes *state, bool with_memory, const GError *error,
                                     gpointer user_data);

/* @qmp is borrowed. */
BerthDeviceState *berth_device_state_save(BerthQmp *qmp, BerthDeviceStateFunc done,
                                          gpointer user_data);
BerthDeviceState *berth_device_state_load(BerthQmp *qmp, GBytes *state, bool with_memory,
                                          BerthDeviceStateFunc done, gpointer user_data);

/* Pass on each event of QMP. */
void berth_device_state_event(BerthDeviceState *operation, const BerthQmpEvent *event);

/* Once the QMP client was freed, which may have answers for it. Accepts NULL. */
void berth_device_state_free(BerthDeviceState *operation);

G_END_DECLS
