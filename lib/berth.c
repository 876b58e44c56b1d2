/* SPDX-License-Identifier: MIT */
#include "berth_private.h"

#include "base/fd.h"
#include "instance/client/runtime.h"
#include "instance/client/session.h"
#include "instance/control/control.h"
#include "manage/compose.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

/* On top of a stop's grace, for QEMU and the keeper to go. */
#define STOP_MARGIN_SEC 10

Berth *berth_new(const char *const *environment, GError **error)
{
    g_autofree char *program = g_file_read_link("/proc/self/exe", NULL);
    const BerthLayoutSupport support = {.program = program, .installed = BERTH_SUPPORT_DIR};
    BerthLayout *layout = berth_layout_new(environment, &support, error);
    if (layout == NULL)
        return NULL;

    Berth *berth = g_new0(Berth, 1);
    berth->environment = g_strdupv((char **)environment);
    berth->layout = layout;
    return berth;
}

void berth_set_waiting(Berth *berth, void (*line)(const char *line, gpointer user_data),
                       gpointer user_data)
{
    berth->waiting = (BerthWaiting){.line = line, .user_data = user_data};
}

void berth_set_warning(Berth *berth, void (*line)(const char *line, gpointer user_data),
                       gpointer user_data)
{
    berth->warn = line;
    berth->warn_data = user_data;
}

void berth_free(Berth *berth)
{
    if (berth == NULL)
        return;
    berth_registry_close(berth->registry);
    berth_layout_free(berth->layout);
    g_strfreev(berth->environment);
    g_free(berth);
}

const char *berth_version(void)
{
    return BERTH_VERSION;
}

guint berth_protocol_version(void)
{
    return WIRE_VERSION;
}

/* --- what the parts share --- */

BerthRegistry *berth_private_registry(Berth *berth, GError **error)
{
    if (berth->registry == NULL && berth_layout_make(berth->layout->data, error)) {
        g_autofree char *path = berth_layout_registry(berth->layout);
        berth->registry = berth_registry_open(path, error);
    }
    return berth->registry;
}

/* Once a handle: @warn is forgotten. */
static void warn_of_settings(Berth *berth)
{
    void (*warn)(const char *line, gpointer user_data) = berth->warn;
    berth->warn = NULL;
    if (warn == NULL)
        return;
    g_auto(GStrv) lines = berth_compose_warnings(berth->layout);
    for (gsize i = 0; lines[i] != NULL; i++)
        warn(lines[i], berth->warn_data);
}

BerthSettings *berth_private_settings(Berth *berth, const char *distro, GError **error)
{
    BerthSettings *settings =
        berth_compose_settings(berth->layout, distro, environment_of(berth), error);
    if (settings != NULL)
        warn_of_settings(berth);
    return settings;
}

BerthMachine *berth_private_machine(Berth *berth, const BerthDistro *distro, GError **error)
{
    BerthMachine *machine =
        berth_compose_machine(berth->layout, distro, environment_of(berth), error);
    if (machine != NULL)
        warn_of_settings(berth);
    return machine;
}

BerthDistro *berth_private_find(Berth *berth, const char *name, GError **error)
{
    BerthRegistry *registry = berth_private_registry(berth, error);
    return registry != NULL ? berth_registry_find(registry, name, error) : NULL;
}

GPtrArray *berth_private_find_all(Berth *berth, const char *const *names, GError **error)
{
    BerthRegistry *registry = berth_private_registry(berth, error);
    if (registry == NULL)
        return NULL;
    if (names == NULL)
        return berth_registry_list(registry, error);

    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GPtrArray) distros =
        g_ptr_array_new_with_free_func((GDestroyNotify)berth_distro_free);
    for (gsize i = 0; names[i] != NULL; i++) {
        BerthDistro *distro = berth_registry_find(registry, names[i], error);
        if (distro == NULL)
            return NULL;
        if (g_hash_table_contains(seen, distro->id)) {
            berth_distro_free(distro);
            continue;
        }
        g_ptr_array_add(distros, distro);
        g_hash_table_add(seen, distro->id);
    }
    return g_steal_pointer(&distros);
}

const char *berth_private_runtime(Berth *berth, GError **error)
{
    return berth_layout_make_private(berth->layout->runtime, error) ? berth->layout->runtime : NULL;
}

static void job_free(Job *job)
{
    g_clear_error(&job->error);
    g_free(job);
}

static const BerthClaimHolder *holder_of(const GPtrArray *holders, const char *id)
{
    for (guint i = 0; holders != NULL && i < holders->len; i++)
        if (g_str_equal(((const BerthClaimHolder *)holders->pdata[i])->id, id))
            return holders->pdata[i];
    return NULL;
}

GPtrArray *berth_private_for_each(Berth *berth, GPtrArray *distros, GThreadFunc work,
                                  const BerthStop *stop, const GPtrArray *holders)
{
    GPtrArray *jobs = g_ptr_array_new_with_free_func((GDestroyNotify)job_free);
    g_autoptr(GPtrArray) threads = g_ptr_array_new();
    for (guint i = 0; i < distros->len; i++) {
        Job *job = g_new0(Job, 1);
        job->berth = berth;
        job->distro = distros->pdata[i];
        job->stop = stop;
        job->holder = holder_of(holders, job->distro->id);
        g_ptr_array_add(jobs, job);
        g_ptr_array_add(threads, g_thread_new("berth", work, job));
    }
    for (guint i = 0; i < threads->len; i++)
        g_thread_join(threads->pdata[i]);
    return jobs;
}

void berth_private_limit_waiting(int fd, guint seconds)
{
    const struct timeval limit = {.tv_sec = seconds};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

/* --- running --- */

int berth_run(int connection, const BerthRun *run, GError **error)
{
    const BerthCommand command = {.argv = run->argv,
                                  .environment = run->environment,
                                  .offered = run->offered,
                                  .user = run->user,
                                  .cwd = run->cwd,
                                  .login = run->login,
                                  .shell = run->shell,
                                  .bare = run->bare,
                                  .tty = run->tty,
                                  .pipe_input = run->pipe_input,
                                  .pipe_output = run->pipe_output,
                                  .pipe_errors = run->pipe_errors,
                                  .cooked = run->cooked,
                                  .rows = run->rows,
                                  .columns = run->columns,
                                  .input = run->input,
                                  .output = run->output,
                                  .errors = run->errors,
                                  .terminal = run->terminal,
                                  .begun = run->begun,
                                  .interrupted = run->interrupted,
                                  .get_size = run->get_size,
                                  .resumed = run->resumed,
                                  .warn = run->warn,
                                  .notice = run->notice,
                                  .user_data = run->user_data};
    return berth_session_run(connection, &command, error);
}

/* How long a machine may take to power off. Settings that cannot be read are no reason to let it
 * run. */
static int find_grace(const Job *job)
{
    if (job->stop->grace_sec >= 0)
        return job->stop->grace_sec;
    g_autoptr(BerthSettings) settings = berth_compose_settings(
        job->berth->layout, job->distro->name, environment_of(job->berth), NULL);
    if (settings == NULL)
        settings = berth_settings_new(NULL, NULL, NULL, NULL, NULL);
    return (int)settings->stop_timeout_sec;
}

static bool stop_connected(const Job *job, int fd, guint grace, GError **error)
{
    berth_private_limit_waiting(fd, (job->stop->force ? 0 : grace) + STOP_MARGIN_SEC);
    return berth_control_stop(fd, job->stop->force ? BERTH_STOP_FORCE : BERTH_STOP_ORDERLY, grace,
                              &job->berth->waiting, error);
}

static gpointer stop_one(gpointer data)
{
    Job *job = data;
    g_autoptr(GError) problem = NULL;
    int grace = find_grace(job);
    berth_autofd int fd = berth_private_connect(job->berth, job->distro, &problem);
    if (fd >= 0 && stop_connected(job, fd, (guint)grace, &problem)) {
        berth_private_wait_for_leaver(job->distro);
        return NULL;
    }

    /* It cannot be asked: its directory was removed, it is on its way out, or it answers in words
     * of another version. */
    int patience = job->stop->force ? 0 : grace + STOP_MARGIN_SEC;
    /* It died under the request, or does not answer any more: then by force. */
    bool gone = fd >= 0 && berth_runtime_is_gone(problem);
    if (fd < 0 || gone || berth_error_is(problem, BERTH_ERROR_PROTOCOL)) {
        g_clear_error(&problem);
        berth_private_end(job->berth, job->distro, gone ? 0 : patience, &problem);
    }
    job->error = g_steal_pointer(&problem);
    return NULL;
}

bool berth_stop(Berth *berth, const char *const *names, const BerthStop *stop, GError **error)
{
    g_autoptr(GPtrArray) distros = berth_private_runtime(berth, error) != NULL
                                       ? berth_private_find_stoppable(berth, names, error)
                                       : NULL;
    if (distros == NULL)
        return false;

    g_autoptr(GPtrArray) jobs = berth_private_for_each(berth, distros, stop_one, stop, NULL);
    for (guint i = 0; i < jobs->len; i++) {
        Job *job = jobs->pdata[i];
        if (job->error == NULL)
            continue;
        if (distros->len > 1)
            g_prefix_error(&job->error, "%s: ", job->distro->name);
        g_propagate_error(error, g_steal_pointer(&job->error));
        return false;
    }
    return true;
}

char *berth_log_path(Berth *berth, const char *name, GError **error)
{
    g_autoptr(BerthDistro) distro = berth_private_find(berth, name, error);
    return distro != NULL ? berth_layout_log(berth->layout, distro->id) : NULL;
}

/* --- the host --- */

void berth_setting_free(BerthSetting *setting)
{
    if (setting == NULL)
        return;
    g_free(setting->name);
    g_free(setting->value);
    g_free(setting->initial);
    g_free(setting);
}

static BerthSetting *public_setting(const BerthField *field, const BerthSettings *settings,
                                    const BerthSettings *initial)
{
    BerthSetting *setting = g_new0(BerthSetting, 1);
    g_autofree char *unchanged = berth_field_format(field, initial);
    setting->name = g_strdup(field->name);
    setting->value = berth_field_format(field, settings);
    setting->initial = g_strdup(field->initial != NULL ? field->initial : "");
    setting->help = field->help;
    if (!g_str_equal(setting->value, unchanged))
        return setting;

    g_free(setting->value); /* as the table writes it: 1T */
    setting->value = g_strdup(setting->initial);
    return setting;
}

GPtrArray *berth_settings(Berth *berth, const char *name, GError **error)
{
    g_autoptr(BerthDistro) distro = name != NULL ? berth_private_find(berth, name, error) : NULL;
    if (name != NULL && distro == NULL)
        return NULL;
    g_autoptr(BerthSettings) settings =
        berth_private_settings(berth, distro != NULL ? distro->name : NULL, error);
    if (settings == NULL)
        return NULL;

    g_autoptr(BerthSettings) initial = berth_settings_new(NULL, NULL, NULL, NULL, NULL);
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)berth_setting_free);
    for (const BerthField *field = berth_settings_fields; field->name != NULL; field++)
        g_ptr_array_add(list, public_setting(field, settings, initial));
    return list;
}

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

static void add_up(BerthStatus *status, const GPtrArray *infos)
{
    for (guint i = 0; i < infos->len; i++) {
        const BerthInfo *info = infos->pdata[i];
        status->distros += info->disk != NULL;
        if (info->is_default || infos->len == 1)
            status->default_distro = g_strdup(info->name);
        status->running += info->keeper_pid != 0 || g_str_equal(info->state, "unresponsive");
        status->disk_used += info->disk_used;
        status->memory_used += info->memory_used;
    }
}

BerthStatus *berth_status(Berth *berth, GError **error)
{
    g_autoptr(GPtrArray) infos = berth_list(berth, error);
    g_autoptr(BerthDistro) any = berth_distro_new("any");
    g_autoptr(BerthMachine) machine =
        infos != NULL ? berth_private_machine(berth, any, error) : NULL;
    if (machine == NULL)
        return NULL;

    const BerthLayout *layout = berth->layout;
    BerthStatus *status = g_new0(BerthStatus, 1);
    add_up(status, infos);
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
