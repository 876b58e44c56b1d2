/* SPDX-License-Identifier: MIT
 *
 * The public function that examines the host, over lib/lifecycle.
 */
#include "berth_doctor.h"

#include "lifecycle/doctor.h"

void berth_finding_free(BerthFinding *finding)
{
    if (finding == NULL)
        return;
    g_free(finding->text);
    g_free(finding->command);
    g_free(finding->fixed);
    g_free(finding);
}

static BerthFinding *take_row(BerthDoctorRow *row)
{
    BerthFinding *finding = g_new(BerthFinding, 1);
    *finding = (BerthFinding){.name = row->name,
                              .verdict = berth_verdict_word(row->verdict),
                              .is_problem = row->verdict == BERTH_VERDICT_PROBLEM,
                              .text = g_steal_pointer(&row->text),
                              .command = g_steal_pointer(&row->command),
                              .fixed = g_steal_pointer(&row->fixed)};
    return finding;
}

GPtrArray *berth_doctor(const char *const *environment, bool fix,
                        void (*progress)(const char *line, gpointer user_data), gpointer user_data)
{
    const BerthDoctorOptions options = {fix, progress, user_data};
    const BerthLayoutSupport support = {.relative = BERTH_SUPPORT_RELATIVE,
                                        .installed = BERTH_SUPPORT_DIR};
    g_autoptr(GPtrArray) rows = berth_doctor_examine(environment, &support, &options);
    GPtrArray *findings = g_ptr_array_new_with_free_func((GDestroyNotify)berth_finding_free);
    for (guint i = 0; i < rows->len; i++)
        g_ptr_array_add(findings, take_row(rows->pdata[i]));
    return findings;
}
