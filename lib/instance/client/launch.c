/* SPDX-License-Identifier: MIT */
#include "launch.h"

#include "base/error.h"
#include "vmm/accel.h"
#include "vmm/features.h"
#include "vmm/qemu_args.h"
#include "vmm/qemu_process.h"

bool berth_launch_prepare(BerthMachine *machine, const char *cache_dir, char **ret_notice,
                          GError **error)
{
    return berth_qemu_check(machine, error) &&
           berth_accel_resolve(machine, cache_dir, ret_notice, error);
}

void berth_launch_report_clear(BerthLaunchReport *report)
{
    g_clear_pointer(&report->reason, g_free);
}

bool berth_launch_look(const BerthMachine *machine, const char *cache_dir,
                       BerthLaunchReport *ret_report, GError **error)
{
    BerthAccelReport found;
    if (!berth_accel_look(machine, cache_dir, &found, error))
        return false;
    *ret_report =
        (BerthLaunchReport){.known = found.known, .reason = found.reason, .hint = found.hint};
    return true;
}

bool berth_launch_prove(BerthMachine *machine, const char *cache_dir, GError **error)
{
    g_autofree char *notice = NULL; /* berth_launch_look() says it, too */
    return berth_accel_resolve(machine, cache_dir, &notice, error);
}

void berth_launch_forget(const char *cache_dir)
{
    berth_accel_forget(cache_dir);
}

bool berth_launch_features(const char *emulator, bool *ret_ignore_shared, bool *ret_io_uring,
                           GError **error)
{
    BerthFeatures features;
    if (!berth_features_ask(emulator, &features, error))
        return false;
    *ret_ignore_shared = features.ignore_shared;
    *ret_io_uring = features.io_uring;
    return true;
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
