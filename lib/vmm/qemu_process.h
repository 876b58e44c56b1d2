/* SPDX-License-Identifier: MIT
 *
 * qemu_process — the running QEMU of an instance.
 *
 * A child process that dies with this one. Its own channels are socket pairs created here; what
 * belongs to the guest is passed in and outlives it (BerthQemuGuest). The tail of its standard
 * error is kept to explain its exit; its standard output is discarded.
 *
 * Uses the caller's thread-default GMainContext, on the main thread.
 */
#pragma once

#include "model/machine.h"

#include <sys/types.h>

G_BEGIN_DECLS

/* Our ends, non-blocking and close-on-exec; the caller closes each. */
typedef struct {
    int qmp;
    int console;
} BerthQemuChannels;

/* QEMU's ends of what outlives it. All stay the caller's. */
typedef struct {
    int net;   /* a datagram socket, with the frames of the network card */
    int share; /* a listening stream socket: it accepts the server of the guest's shares */
    int agent; /* this and the next one: of guest_ends.h */
    int memory;
    bool wakes;      /* wait for its state instead of booting it */
    bool is_private; /* and the memory is another guest's: guest_ends.h */
} BerthQemuGuest;

typedef struct BerthQemu BerthQemu;

/* QEMU exited with @wait_status (as waitpid) and has been reaped; its standard error is complete.
 * Called once, never from within a function of this header, and after pending input on channels
 * watched at G_PRIORITY_DEFAULT. May free @qemu. */
typedef void (*BerthQemuExitFunc)(BerthQemu *qemu, int wait_status, gpointer user_data);

/* Check that the programs and files of @machine exist. Errors: BERTH_ERROR_NOT_FOUND or DENIED,
 * "machine.no-qemu", "machine.no-kernel", "machine.no-initramfs", "machine.no-disk". */
bool berth_qemu_check(const BerthMachine *machine, GError **error);

/* Start QEMU for @machine, whose accelerator is settled. NULL on error. Errors: of
 * berth_qemu_check, of berth_qemu_args, "machine.qemu.*". */
BerthQemu *berth_qemu_spawn(const BerthMachine *machine, const BerthQemuGuest *guest,
                            BerthQemuExitFunc on_exit, gpointer user_data,
                            BerthQemuChannels *ret_channels, GError **error);

/* 0 once it has exited. */
pid_t berth_qemu_pid(const BerthQemu *qemu);

/* The most informative last line of its standard error, "" if none. Borrowed until the loop runs
 * again. */
const char *berth_qemu_last_message(const BerthQemu *qemu);

/* Kill it at once; on_exit is called as usual. */
void berth_qemu_kill(BerthQemu *qemu);

/* Kill and reap it if still running, without calling on_exit. Accepts NULL. */
void berth_qemu_free(BerthQemu *qemu);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthQemu, berth_qemu_free)

G_END_DECLS
