/* SPDX-License-Identifier: MIT
 *
 * launch — checks and completes a Machine before a keeper starts it; for the rooms above.
 */
#pragma once

#include "model/machine.h"

G_BEGIN_DECLS

/* Check that the files @machine names exist and decide its accelerator. *@ret_notice explains the
 * decision to the user, or is NULL; free with g_free. @cache_dir caches the accelerator's proof.
 * Errors: those of vmm/qemu_process.h (check) and vmm/accel.h. */
bool berth_launch_prepare(BerthMachine *machine, const char *cache_dir, char **ret_notice,
                          GError **error);

/* After a start that failed with @problem: when QEMU or its guest ended or hung before the guest
 * was up, remove the results in @cache_dir. They name neither QEMU's firmware nor its modules,
 * which may have changed since; the next start proves anew. */
void berth_launch_failed(const GError *problem, const char *cache_dir);

/* QEMU's command line, quoted for a shell; free with g_free.
 * Errors: those of vmm/qemu_args.h. */
char *berth_launch_command_line(const BerthMachine *machine, GError **error);

G_END_DECLS
