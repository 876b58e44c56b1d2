/* SPDX-License-Identifier: MIT
 *
 * qemu_args — builds QEMU's command line for a machine. Pure.
 *
 *     BerthMachine -> berth_qemu_args -> argv, argv[0] is the emulator
 *
 * QEMU inherits its channels as descriptors with fixed numbers, so the command line names no socket
 * path and no other process can connect.
 *
 * One writer escapes every value: it doubles commas where QEMU splits at them, and refuses values
 * that an option cannot carry.
 *
 * Errors: BERTH_ERROR_INVALID, "machine.value".
 */
#pragma once

#include "model/machine.h"

G_BEGIN_DECLS

/* Descriptors that QEMU inherits, all sockets but the last, and connected unless said otherwise. */
typedef enum {
    BERTH_QEMU_FD_QMP = 3,     /* stream */
    BERTH_QEMU_FD_AGENT = 4,   /* stream, wire/wire.h */
    BERTH_QEMU_FD_NET = 5,     /* datagram, one Ethernet frame each */
    BERTH_QEMU_FD_CONSOLE = 6, /* stream, the guest's first serial port */
    BERTH_QEMU_FD_SHARE = 7,   /* listening stream: berth-share connects, and another after it */
    BERTH_QEMU_FD_MEMORY = 8,  /* the guest's memory: a file without a name */
} BerthQemuFd;

/* The block node of the root disk. */
#define BERTH_QEMU_ROOT_NODE "root"

/* Makes the initramfs print BERTH_QEMU_PROBE_MARKER on the console and power off. */
#define BERTH_QEMU_PROBE_ARGUMENT "berth.probe"
#define BERTH_QEMU_PROBE_MARKER   "BERTH-PROBE-OK"

/* The command line of @machine, whose accelerator and alternatives are settled (lib/vmm/accel.h).
 * Free with g_strfreev. NULL on error. */
char **berth_qemu_args(const BerthMachine *machine, GError **error);

/* As berth_qemu_args, for a QEMU that waits for the state of a guest (device_state.h) instead of
 * booting one. */
char **berth_qemu_args_waking(const BerthMachine *machine, GError **error);

/* As berth_qemu_args_waking, but the memory is a file of another guest, and stays as it is. */
char **berth_qemu_args_cloned(const BerthMachine *machine, GError **error);

/* The command line of a probe: as berth_qemu_args, but with an empty disk. It contains no name,
 * address or size of a distro, so its result holds for all. Free with g_strfreev. */
char **berth_qemu_args_probe(const BerthMachine *machine, GError **error);

/* Format @argv for humans and shells: quoted where needed, one option a line, no final newline.
 * Free with g_free. */
char *berth_qemu_args_to_text(char **argv);

G_END_DECLS
