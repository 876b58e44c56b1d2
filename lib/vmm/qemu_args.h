/* SPDX-License-Identifier: MIT
 *
 * qemu_args — a Machine as the command line QEMU is started with. Pure.
 *
 *     BerthMachine -> berth_qemu_args -> argv, argv[0] is the emulator
 *
 * What QEMU talks to us about comes to it as open file descriptors with fixed numbers, so that the
 * command line names no socket path and nothing else can connect.
 *
 * Every value passes through one writer: a comma is doubled where QEMU splits at commas, and what
 * an option cannot carry is refused, never dropped.
 *
 * Errors: BERTH_ERROR_INVALID, "machine.value".
 */
#pragma once

#include "model/machine.h"

G_BEGIN_DECLS

/* File descriptors in QEMU, all connected sockets. */
typedef enum {
    BERTH_QEMU_FD_QMP = 3,     /* stream */
    BERTH_QEMU_FD_AGENT = 4,   /* stream, wire/wire.h */
    BERTH_QEMU_FD_NET = 5,     /* datagram, one Ethernet frame each */
    BERTH_QEMU_FD_CONSOLE = 6, /* stream, the guest's first serial port */
} BerthQemuFd;

/* The block node of the machine's root disk. */
#define BERTH_QEMU_ROOT_NODE "root"

/* The argument with which the initramfs only says BERTH_QEMU_PROBE_MARKER on the console and powers
 * off. */
#define BERTH_QEMU_PROBE_ARGUMENT "berth.probe"
#define BERTH_QEMU_PROBE_MARKER   "BERTH-PROBE-OK"

/* The command line of @machine, whose accelerator and alternatives have been decided
 * (lib/vmm/accel.h). Free with
 * g_strfreev. NULL on error. */
char **berth_qemu_args(const BerthMachine *machine, GError **error);

/* The command line that only proves that @machine's kernel reaches user space: all that
 * berth_qemu_args has but the disks, in whose place is an empty one. No distro's name,
 * address or size is in it, so the proof of one holds for all. Free with g_strfreev. */
char **berth_qemu_probe_args(const BerthMachine *machine, GError **error);

/* @argv for a shell and a reader: quoted where needed, an option a line. Ends without a line break.
 * Free with g_free. */
char *berth_qemu_args_to_text(char **argv);

G_END_DECLS
