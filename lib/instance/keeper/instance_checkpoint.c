/* SPDX-License-Identifier: MIT */
#include "instance_private.h"

void berth_instance_checkpoint_init(BerthInstance *instance, const char *support_dir)
{
    Checkpoints *checkpoints = &instance->checkpoints;
    const BerthMachine *machine = instance->machine;
    bool is_kept = machine->owner == NULL && !machine->rescue && machine->data != NULL;
    if (!is_kept || !berth_checkpoint_parse(machine->checkpoint, &checkpoints->policy.plan, NULL))
        checkpoints->policy.plan.every_sec = 0;
    checkpoints->program = g_build_filename(support_dir, "berth-checkpoint", NULL);
}

bool berth_instance_checkpoint_is_wanted(const BerthInstance *instance)
{
    return instance->checkpoints.policy.plan.every_sec != 0;
}

bool berth_instance_checkpoint_is_running(const BerthInstance *instance)
{
    return instance->checkpoints.job != NULL;
}

static void set_problem(BerthInstance *instance, const char *reason)
{
    Checkpoints *checkpoints = &instance->checkpoints;
    g_free(checkpoints->problem);
    checkpoints->problem = g_strdup(reason);
    berth_checkpoint_fail(&checkpoints->policy, g_get_monotonic_time());
    berth_console_log(instance->console, "%s has no new automatic snapshot: %s",
                      instance->machine->name, reason);
}

static void on_done(const BerthCheckpointResult *result, gpointer user_data)
{
    BerthInstance *instance = user_data;
    Checkpoints *checkpoints = &instance->checkpoints;
    BerthCheckpoint *policy = &checkpoints->policy;
    gint64 now = g_get_monotonic_time();
    switch (result->kind) {
    case BERTH_CHECKPOINT_JOB_TAKEN:
        g_clear_pointer(&checkpoints->problem, g_free);
        berth_checkpoint_taken(policy, (gint64)result->number, now);
        berth_console_log(instance->console, "%s has the automatic snapshot %s, after %.2f s",
                          instance->machine->name, result->text,
                          (double)result->number / G_USEC_PER_SEC);
        break;
    case BERTH_CHECKPOINT_JOB_EARLY:
        berth_checkpoint_early(policy, (guint)result->number, now);
        break;
    case BERTH_CHECKPOINT_JOB_BUSY:
        berth_checkpoint_early(policy, BERTH_CHECKPOINT_BUSY_SEC, now);
        break;
    case BERTH_CHECKPOINT_JOB_FAILED:
        set_problem(instance, result->text);
        break;
    }
    g_clear_pointer(&checkpoints->job, berth_checkpoint_job_free);
}

void berth_instance_checkpoint_sample(BerthInstance *instance, bool is_active)
{
    Checkpoints *checkpoints = &instance->checkpoints;
    BerthCheckpoint *policy = &checkpoints->policy;
    if (is_active)
        berth_checkpoint_use(policy);
    if (checkpoints->job != NULL || !berth_checkpoint_is_due(policy, g_get_monotonic_time()))
        return;
    g_autoptr(GError) error = NULL;
    berth_checkpoint_begin(policy);
    checkpoints->job = berth_checkpoint_job_start(checkpoints->program, instance->machine, on_done,
                                                  instance, &error);
    if (checkpoints->job == NULL)
        set_problem(instance, error->message);
}

void berth_instance_checkpoint_status(const BerthInstance *instance, BerthInstanceStatus *status)
{
    const Checkpoints *checkpoints = &instance->checkpoints;
    bool is_wanted = berth_instance_checkpoint_is_wanted(instance);
    status->checkpoint = g_strdup(is_wanted ? instance->machine->checkpoint : "");
    status->checkpoint_problem = g_strdup(checkpoints->problem != NULL ? checkpoints->problem : "");
}

void berth_instance_checkpoint_end(BerthInstance *instance)
{
    g_clear_pointer(&instance->checkpoints.job, berth_checkpoint_job_free);
}

void berth_instance_checkpoint_clear(BerthInstance *instance)
{
    berth_instance_checkpoint_end(instance);
    g_clear_pointer(&instance->checkpoints.program, g_free);
    g_clear_pointer(&instance->checkpoints.problem, g_free);
}
