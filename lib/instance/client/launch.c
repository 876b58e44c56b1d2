/* SPDX-License-Identifier: MIT */
#include "launch.h"

#include "base/error.h"
#include "vmm/accel.h"
#include "vmm/qemu_args.h"
#include "vmm/qemu_process.h"

bool berth_launch_prepare(BerthMachine *machine, const char *cache_dir, char **ret_notice,
                          GError **error)
{
    return berth_qemu_check(machine, error) &&
           berth_accel_resolve(machine, cache_dir, ret_notice, error);
}

void berth_launch_failed(const GError *problem, const char *cache_dir)
{
    static const char *const ids[] = {"instance.qemu", "instance.boot", "instance.boot-timeout",
                                      NULL};
    const char *id = berth_error_id(problem);
    if (id != NULL && g_strv_contains(ids, id))
        berth_accel_forget(cache_dir);
}

char *berth_launch_command_line(const BerthMachine *machine, GError **error)
{
    g_auto(GStrv) argv = berth_qemu_args(machine, error);
    return argv != NULL ? berth_qemu_args_to_text(argv) : NULL;
}
