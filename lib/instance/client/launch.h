/* SPDX-License-Identifier: MIT
 *
 * launch — what a Machine needs before a keeper may be given it, for those above lib/instance.
 */
#pragma once

#include "model/machine.h"

G_BEGIN_DECLS

/* Check that what @machine names is there and decide its accelerator. *@ret_notice is text for
 * the user about that decision, or NULL; free with g_free. Results of the proof are kept in
 * @cache_dir. Errors: those of vmm/qemu_process.h (check) and vmm/accel.h. */
bool berth_launch_prepare(BerthMachine *machine, const char *cache_dir, char **ret_notice,
                          GError **error);

/* After a start that failed with @problem: when QEMU or its guest ended or hung before the guest
 * was up, remove the results in @cache_dir. They name neither QEMU's firmware nor its modules,
 * which may have changed since; the next start proves anew. */
void berth_launch_failed(const GError *problem, const char *cache_dir);

/* The command line QEMU is started with, for a shell and a reader; free with g_free.
 * Errors: those of vmm/qemu_args.h. */
char *berth_launch_command_line(const BerthMachine *machine, GError **error);

G_END_DECLS
