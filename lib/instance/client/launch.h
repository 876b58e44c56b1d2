/* SPDX-License-Identifier: MIT
 *
 * launch — checks and completes a Machine before a keeper starts it; for the rooms above.
 */
#pragma once

#include "model/machine.h"

#include <stdbool.h>

G_BEGIN_DECLS

/* Check that the files @machine names exist and decide its accelerator. *@ret_notice explains the
 * decision to the user, or is NULL; free with g_free. @cache_dir caches the accelerator's proof.
 * Errors: those of vmm/qemu_process.h (check) and vmm/accel.h. */
bool berth_launch_prepare(BerthMachine *machine, const char *cache_dir, char **ret_notice,
                          GError **error);

/* The accelerator as the cache knows it, for berth doctor. */
typedef struct {
    bool known;       /* a start needs no probe of the accelerator */
    char *reason;     /* why KVM does not work; NULL: it works, is not known or not used */
    const char *hint; /* with a reason; static */
} BerthLaunchReport;

void berth_launch_report_clear(BerthLaunchReport *report);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthLaunchReport, berth_launch_report_clear)

/* Read what is cached about the accelerator of @machine, which is not prepared. Errors: those of
 * vmm/accel.h. */
bool berth_launch_look(const BerthMachine *machine, const char *cache_dir,
                       BerthLaunchReport *ret_report, GError **error);

/* Decide the accelerator of @machine as berth_launch_prepare; its disk need not exist. */
bool berth_launch_prove(BerthMachine *machine, const char *cache_dir, GError **error);

/* Delete what is cached about accelerators: the next start proves anew. */
void berth_launch_forget(const char *cache_dir);

/* Ask @emulator whether migration can leave out shared memory, and whether disks can use io_uring.
 * Errors: those of vmm/features.h. */
bool berth_launch_features(const char *emulator, bool *ret_ignore_shared, bool *ret_io_uring,
                           GError **error);

/* After a start that failed with @problem: when QEMU or its guest ended or hung before the guest
 * was up, remove the results in @cache_dir. They name neither QEMU's firmware nor its modules,
 * which may have changed since; the next start proves anew. */
void berth_launch_failed(const GError *problem, const char *cache_dir);

/* QEMU's command line, quoted for a shell; free with g_free.
 * Errors: those of vmm/qemu_args.h. */
char *berth_launch_command_line(const BerthMachine *machine, GError **error);

G_END_DECLS
