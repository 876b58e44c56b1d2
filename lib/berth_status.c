/* SPDX-License-Identifier: MIT
 *
 * The public functions about this installation, over lib/lifecycle.
 */
#include "berth_status.h"

#include "lifecycle/handle.h"
#include "lifecycle/summary.h"
#include "lifecycle/versions.h"

void berth_status_free(BerthStatus *status)
{
    if (status == NULL)
        return;
    g_free(status->default_distro);
    g_free(status->emulator);
    g_free(status->kernel);
    g_free(status->accel);
    g_free(status->data);
    g_free(status->config);
    g_free(status->cache);
    g_free(status->runtime);
    g_free(status->support);
    g_free(status);
}

void berth_versions(Berth *berth, char **ret_kernel, char **ret_emulator)
{
    berth_versions_find(berth, ret_kernel, ret_emulator);
}

BerthStatus *berth_status(Berth *berth, GError **error)
{
    g_auto(BerthSummary) summary = {0};
    if (!berth_summary_make(berth, &summary, error))
        return NULL;
    const BerthLayout *layout = berth->layout;
    const BerthMachine *machine = summary.machine;
    BerthStatus *status = g_new0(BerthStatus, 1);
    status->default_distro = g_steal_pointer(&summary.default_distro);
    status->distros = summary.distros;
    status->running = summary.running;
    status->disk_used = summary.disk_used;
    status->memory_used = summary.memory_used;
    status->emulator = g_find_program_in_path(machine->emulator);
    if (g_file_test(machine->kernel, G_FILE_TEST_IS_REGULAR))
        status->kernel = g_strdup(machine->kernel);
    status->accel = g_strdup(berth_accel_word(machine->accel));
    status->memory = machine->memory;
    status->cpus = machine->cpus;
    status->data = g_strdup(layout->data);
    status->config = g_strdup(layout->config);
    status->cache = g_strdup(layout->cache);
    status->runtime = g_strdup(layout->runtime);
    status->support = g_strdup(layout->support);
    return status;
}
