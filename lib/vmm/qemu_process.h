/* SPDX-License-Identifier: MIT
 *
 * qemu_process — the running QEMU of an instance.
 *
 * It is a child of ours and dies with us. Its channels are socket pairs made here, but for the
 * network's, which outlives it. What it writes on standard error is kept (the end of it) for the
 * message that says why it stopped; what it writes on standard output is discarded.
 *
 * Works on the thread-default GMainContext of the caller, on the main thread.
 */
#pragma once

#include "model/machine.h"

#include <sys/types.h>

G_BEGIN_DECLS

/* Our ends, non-blocking and close-on-exec; each is the caller's to close. */
typedef struct {
    int qmp;
    int agent;
    int console;
} BerthQemuChannels;

typedef struct BerthQemu BerthQemu;

/* QEMU has ended, with @wait_status as waitpid gives it; it is reaped and all its words are heard.
 * Called once, never from within a function of this header, and after what was left to read on
 * channels that are watched at G_PRIORITY_DEFAULT; it may free @qemu. */
typedef void (*BerthQemuExitFunc)(BerthQemu *qemu, int wait_status, gpointer user_data);

/* Whether what @machine names is there: the programs and files QEMU needs.
 * Errors: BERTH_ERROR_NOT_FOUND or DENIED, "machine.no-qemu", "machine.no-kernel",
 * "machine.no-initramfs", "machine.no-disk". */
bool berth_qemu_check(const BerthMachine *machine, GError **error);

/* Start QEMU for @machine, whose accelerator has been decided. @net_fd, a datagram socket, becomes
 * its network card's wire and stays the caller's. NULL on error.
 * Errors: of berth_qemu_check, of berth_qemu_args, "machine.qemu.*". */
BerthQemu *berth_qemu_spawn(const BerthMachine *machine, int net_fd, BerthQemuExitFunc on_exit,
                            gpointer user_data, BerthQemuChannels *ret_channels, GError **error);

/* 0 once it has ended. */
pid_t berth_qemu_pid(const BerthQemu *qemu);

/* Why it stopped, in its own words: the last line it wrote that tells, "" if there is none.
 * Borrowed until the loop runs again. */
const char *berth_qemu_last_words(const BerthQemu *qemu);

/* End it at once; the exit is reported as any other. */
void berth_qemu_kill(BerthQemu *qemu);

/* Kills and reaps it if it is still alive, without a report. Accepts NULL. */
void berth_qemu_free(BerthQemu *qemu);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthQemu, berth_qemu_free)

G_END_DECLS
