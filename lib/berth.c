/* SPDX-License-Identifier: MIT
 *
 * The public functions over lib/lifecycle: conversion between the structs of the two interfaces,
 * and nothing else.
 */
#include "berth.h"

#include "instance/client/session_client.h"
#include "instance/control/hello.h"
#include "instance/control/runtime_files.h"
#include "lifecycle/distros.h"
#include "lifecycle/docker.h"
#include "lifecycle/forwards.h"
#include "lifecycle/handle.h"
#include "lifecycle/host_access.h"
#include "lifecycle/list.h"
#include "lifecycle/port_lists.h"
#include "lifecycle/start.h"
#include "lifecycle/stop.h"
#include "lifecycle/suspend.h"
#include "lifecycle/summary.h"
#include "lifecycle/versions.h"
#include "manage/cache.h"
#include "manage/download.h"

Berth *berth_new(const char *const *environment, GError **error)
{
    const BerthLayoutSupport support = {.relative = BERTH_SUPPORT_RELATIVE,
                                        .installed = BERTH_SUPPORT_DIR};
    return berth_handle_new(environment, &support, error);
}

void berth_free(Berth *berth)
{
    berth_handle_free(berth);
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

const char *berth_version(void)
{
    return BERTH_VERSION;
}

char *berth_mcp_program(const Berth *berth)
{
    return berth_layout_mcp_program(berth->layout);
}

guint berth_protocol_version(void)
{
    return WIRE_VERSION;
}

guint berth_control_version(void)
{
    return BERTH_CONTROL_VERSION;
}

/* --- distros --- */

bool berth_check_name(const char *name, GError **error)
{
    return berth_distro_check_name(name, error);
}

static BerthImportOptions import_options(const BerthImport *import)
{
    return (BerthImportOptions){.name = import->name,
                                .fd = import->fd,
                                .origin = import->origin,
                                .path = import->path,
                                .size = import->size,
                                .inodes = import->inodes,
                                .strip_root = import->strip_root,
                                .image = import->image,
                                .user = import->user,
                                .no_user = import->no_user,
                                .oobe = import->oobe,
                                .location = import->location,
                                .cloud = import->cloud,
                                .progress = import->progress,
                                .notice = import->notice,
                                .user_data = import->user_data};
}

bool berth_import(Berth *berth, const BerthImport *import, BerthImported *ret_imported,
                  GError **error)
{
    const BerthImportOptions options = import_options(import);
    BerthImportReport report;
    if (!berth_distros_import(berth, &options, &report, error))
        return false;
    *ret_imported = (BerthImported){.entries = report.entries,
                                    .bytes = report.bytes,
                                    .disk_used = report.disk_used,
                                    .from_cache = report.from_cache};
    return true;
}

bool berth_import_in_place(Berth *berth, const BerthImport *import, GError **error)
{
    const BerthImportOptions options = import_options(import);
    return berth_distros_import_in_place(berth, &options, error);
}

bool berth_export(Berth *berth, const char *name, const BerthExport *export,
                  BerthExportFunc progress, gpointer user_data, char **ret_notice, GError **error)
{
    const BerthExportRequest request = {.path = export->path,
                                        .fd = export->fd,
                                        .format = export->format,
                                        .replace = export->replace};
    return berth_distros_export(berth, name, &request, progress, user_data, ret_notice, error);
}

bool berth_unregister(Berth *berth, const char *name, GError **error)
{
    return berth_distros_unregister(berth, name, error);
}

bool berth_clone(Berth *berth, const char *source, const char *name, BerthWorkFunc progress,
                 gpointer user_data, GError **error)
{
    return berth_distros_clone(berth, source, name, progress, user_data, error);
}

bool berth_rename(Berth *berth, const char *name, const char *new_name, GError **error)
{
    return berth_distros_rename(berth, name, new_name, error);
}

bool berth_move(Berth *berth, const char *name, const char *directory, BerthWorkFunc progress,
                gpointer user_data, GError **error)
{
    return berth_distros_move(berth, name, directory, progress, user_data, error);
}

bool berth_resize(Berth *berth, const char *name, guint64 size, BerthWorkFunc progress,
                  gpointer user_data, GError **error)
{
    return berth_distros_resize(berth, name, size, progress, user_data, error);
}

bool berth_compact(Berth *berth, const char *name, BerthWorkFunc progress, gpointer user_data,
                   guint64 *ret_before, guint64 *ret_after, GError **error)
{
    return berth_distros_compact(berth, name, progress, user_data, ret_before, ret_after, error);
}

bool berth_set_default(Berth *berth, const char *name, GError **error)
{
    BerthRegistry *registry = berth_handle_registry(berth, error);
    return registry != NULL && berth_registry_set_default(registry, name, error);
}

char *berth_resolve(Berth *berth, const char *name, GError **error)
{
    g_autoptr(BerthDistro) distro = berth_handle_find(berth, name, error);
    return distro != NULL ? g_steal_pointer(&distro->name) : NULL;
}

static void set_open_ports(BerthInfo *info, const GPtrArray *forwards)
{
    info->ports = g_new0(guint16, forwards->len);
    for (guint i = 0; i < forwards->len; i++) {
        const BerthForward *forward = forwards->pdata[i];
        if (forward->state == BERTH_FORWARD_OPEN)
            info->ports[info->n_ports++] = forward->host_port;
    }
}

static void set_status(BerthInfo *info, BerthInstanceStatus *status)
{
    info->accel = g_steal_pointer(&status->accel);
    info->kernel = g_steal_pointer(&status->kernel);
    info->init = g_steal_pointer(&status->init);
    info->init_status = g_steal_pointer(&status->init_status);
    info->uptime_usec = status->uptime_usec;
    info->started_usec = g_get_real_time() - status->uptime_usec;
    info->sessions = status->sessions;
    info->qemu_pid = status->qemu_pid;
}

static BerthInfo *public_info(BerthListing *listing)
{
    BerthInfo *info = g_new0(BerthInfo, 1);
    info->name = g_steal_pointer(&listing->name);
    info->id = g_steal_pointer(&listing->id);
    info->slot = listing->slot;
    info->address = berth_distro_address(listing->slot);
    info->is_default = listing->is_default;
    info->disk = g_steal_pointer(&listing->disk);
    info->disk_size = listing->disk_size;
    info->disk_used = listing->disk_used;
    info->snapshots_used = listing->snapshots_used;
    info->created_usec = listing->created_usec;
    info->state = g_steal_pointer(&listing->state);
    info->reason = g_steal_pointer(&listing->reason);
    info->holder_pid = listing->holder_pid;
    info->keeper_pid = listing->keeper_pid;
    info->memory_used = listing->memory_used;
    if (listing->status != NULL)
        set_status(info, listing->status);
    if (listing->forwards != NULL)
        set_open_ports(info, listing->forwards);
    return info;
}

GPtrArray *berth_list(Berth *berth, GError **error)
{
    g_autoptr(GPtrArray) listings = berth_list_distros(berth, error);
    if (listings == NULL)
        return NULL;
    GPtrArray *infos = g_ptr_array_new_with_free_func((GDestroyNotify)berth_info_free);
    for (guint i = 0; i < listings->len; i++)
        g_ptr_array_add(infos, public_info(listings->pdata[i]));
    return infos;
}

char **berth_distro_names(Berth *berth, GError **error)
{
    BerthRegistry *registry = berth_handle_registry(berth, error);
    g_autoptr(GPtrArray) distros = registry != NULL ? berth_registry_list(registry, error) : NULL;
    if (distros == NULL)
        return NULL;
    char **names = g_new0(char *, distros->len + 1);
    for (guint i = 0; i < distros->len; i++)
        names[i] = g_strdup(((const BerthDistro *)distros->pdata[i])->name);
    return names;
}

char *berth_resolve_id(Berth *berth, const char *id, GError **error)
{
    bool braces = id[0] == '{' && g_str_has_suffix(id, "}");
    g_autofree char *bare = braces ? g_strndup(id + 1, strlen(id) - 2) : g_strdup(id);
    g_autofree char *lower = g_ascii_strdown(bare, -1);
    BerthRegistry *registry = berth_handle_registry(berth, error);
    g_autoptr(BerthDistro) distro =
        registry != NULL ? berth_registry_find_by_id(registry, lower, error) : NULL;
    return distro != NULL ? g_strdup(distro->name) : NULL;
}

void berth_versions(Berth *berth, char **ret_kernel, char **ret_emulator)
{
    berth_versions_find(berth, ret_kernel, ret_emulator);
}

/* --- the cache of images --- */

static bool open_cache(Berth *berth, char **ret_directory, guint64 *ret_limit, GError **error)
{
    g_autoptr(BerthSettings) settings = berth_handle_settings(berth, NULL, error);
    if (settings == NULL)
        return false;
    *ret_directory = berth_layout_images(berth->layout);
    *ret_limit = settings->cache_size;
    return true;
}

GPtrArray *berth_cache_images(Berth *berth, char **ret_directory, guint64 *ret_limit,
                              GError **error)
{
    if (!open_cache(berth, ret_directory, ret_limit, error))
        return NULL;
    const BerthCache cache = {.directory = *ret_directory, .limit = *ret_limit};
    g_autoptr(GPtrArray) entries = berth_cache_list(&cache);
    GPtrArray *images = g_ptr_array_new_with_free_func((GDestroyNotify)berth_cached_free);
    for (guint i = 0; i < entries->len; i++) {
        BerthCacheEntry *entry = entries->pdata[i];
        BerthCached *cached = g_new0(BerthCached, 1);
        cached->key = g_steal_pointer(&entry->key);
        cached->origin = g_steal_pointer(&entry->origin);
        cached->archive_size = entry->archive_size;
        cached->disk_size = entry->disk_size;
        cached->disk_used = entry->disk_used;
        cached->used_usec = entry->used_usec;
        g_ptr_array_add(images, cached);
    }
    return images;
}

bool berth_cache_clean(Berth *berth, bool all, guint *ret_count, guint64 *ret_freed, GError **error)
{
    g_autofree char *directory = NULL;
    guint64 limit = 0;
    if (!open_cache(berth, &directory, &limit, error))
        return false;
    const BerthCache cache = {.directory = directory, .limit = limit};
    guint downloads = 0;
    if (!berth_cache_prune(&cache, all, ret_count, ret_freed, error))
        return false;
    berth_download_prune(berth->layout, all, &downloads, ret_freed);
    return true;
}

/* --- running --- */

int berth_connect(Berth *berth, const char *name, char **ret_notice, GError **error)
{
    const BerthStartOptions plain = {0};
    return berth_start_connect(berth, name, &plain, ret_notice, error);
}

int berth_connect_with(Berth *berth, const char *name, const BerthStart *start, char **ret_notice,
                       GError **error)
{
    const BerthStartOptions options = {
        .rescue = start->rescue, .isolated = start->isolated, .early = start->early};
    return berth_start_connect(berth, name, &options, ret_notice, error);
}

GPtrArray *berth_stages(int connection, GError **error)
{
    g_autoptr(BerthBootReport) report = berth_request_boot(connection, error);
    if (report == NULL)
        return NULL;
    GPtrArray *stages = g_ptr_array_new_with_free_func((GDestroyNotify)berth_stage_free);
    gint64 before_usec = 0;
    for (guint i = 0; i < report->stages->len; i++) {
        BerthBootStage *from = report->stages->pdata[i];
        BerthStage *stage = g_new0(BerthStage, 1);
        stage->name = g_steal_pointer(&from->name);
        stage->problem = g_steal_pointer(&from->problem);
        stage->end_usec = from->end_usec;
        stage->took_usec = MAX(from->end_usec - before_usec, 0);
        before_usec = from->end_usec;
        g_ptr_array_add(stages, stage);
    }
    return stages;
}

void berth_start_failed(Berth *berth, const GError *problem)
{
    berth_start_forget(berth, problem);
}

char *berth_command_line(Berth *berth, const char *name, char **ret_notice, GError **error)
{
    return berth_start_command_line(berth, name, ret_notice, error);
}

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
    return berth_session_client_run(connection, &command, error);
}

bool berth_stop(Berth *berth, const char *const *names, const BerthStop *stop, GError **error)
{
    const BerthStopOptions options = {.force = stop->force,
                                      .grace_sec = stop->grace_sec,
                                      .not_running = stop->not_running,
                                      .user_data = stop->user_data};
    return berth_stop_distros(berth, names, &options, error);
}

bool berth_suspend(Berth *berth, const char *const *names, const BerthSuspend *suspend,
                   GError **error)
{
    const BerthSuspendOptions options = {.not_running = suspend->not_running,
                                         .user_data = suspend->user_data};
    return berth_suspend_distros(berth, names, &options, error);
}

char *berth_log_path(Berth *berth, const char *name, GError **error)
{
    g_autoptr(BerthDistro) distro = berth_handle_find(berth, name, error);
    return distro != NULL ? berth_layout_log(berth->layout, distro->id) : NULL;
}

char *berth_keeper_log_path(Berth *berth, const char *name, GError **error)
{
    g_autoptr(BerthDistro) distro = berth_handle_find(berth, name, error);
    const char *runtime = distro != NULL ? berth_handle_runtime(berth, error) : NULL;
    return runtime != NULL ? g_build_filename(runtime, distro->id, BERTH_RUNTIME_LOG, NULL) : NULL;
}

char *berth_docker_socket(Berth *berth, const char *name, char **ret_notice, GError **error)
{
    return berth_docker_path(berth, name, ret_notice, error);
}

/* --- ports --- */

static char **open_addresses(const BerthForward *forward)
{
    GPtrArray *list = g_ptr_array_new();
    for (guint i = 0; i < BERTH_LEGS; i++) {
        const BerthLeg *leg = &forward->legs[i];
        if (leg->state == BERTH_FORWARD_OPEN)
            g_ptr_array_add(list, berth_rule_address_text(leg->family, leg->host));
    }
    g_ptr_array_add(list, NULL);
    return (char **)g_ptr_array_free(list, FALSE);
}

/* The port's place on the host, unless it is the same port of localhost; else NULL. */
static char *host_of(const BerthForward *forward)
{
    BerthRule rule = forward->rule;
    rule.host_port = forward->host_port;
    bool same = rule.family == 0 && rule.host_port == rule.guest_port;
    return same ? NULL : berth_rule_host(&rule);
}

static BerthPort *public_port(const char *distro, const BerthForward *forward)
{
    BerthPort *port = g_new0(BerthPort, 1);
    port->distro = g_strdup(distro);
    port->protocol = g_strdup(berth_protocol_word(forward->rule.protocol));
    port->port = forward->rule.guest_port;
    port->host_port = forward->host_port;
    port->origin = g_strdup(berth_origin_word(forward->origin));
    port->addresses = open_addresses(forward);
    port->host = host_of(forward);
    port->state = g_strdup(berth_forward_state_word(forward->state));
    port->owner = g_strdup(forward->owner);
    port->reason = g_strdup(forward->reason);
    return port;
}

/* @list is that of lib/lifecycle/port_lists.h. */
static GPtrArray *public_ports(const GPtrArray *list)
{
    GPtrArray *ports = g_ptr_array_new_with_free_func((GDestroyNotify)berth_port_free);
    for (guint i = 0; i < list->len; i++) {
        const BerthDistroPorts *of = list->pdata[i];
        for (guint j = 0; j < of->forwards->len; j++)
            g_ptr_array_add(ports, public_port(of->distro, of->forwards->pdata[j]));
    }
    return ports;
}

GPtrArray *berth_ports(Berth *berth, const char *name, GError **error)
{
    g_autoptr(GPtrArray) list = berth_port_lists_read(berth, name, error);
    return list != NULL ? public_ports(list) : NULL;
}

typedef struct {
    bool (*func)(const GPtrArray *ports, gpointer user_data);
    gpointer user_data;
} PortsWatch;

static bool on_ports(const GPtrArray *list, gpointer user_data)
{
    const PortsWatch *watch = user_data;
    g_autoptr(GPtrArray) ports = public_ports(list);
    return watch->func(ports, watch->user_data);
}

bool berth_ports_watch(Berth *berth, const char *name,
                       bool (*func)(const GPtrArray *ports, gpointer user_data), gpointer user_data,
                       GError **error)
{
    PortsWatch watch = {func, user_data};
    return berth_port_lists_follow(berth, name, on_ports, &watch, error);
}

static BerthForwardRule *public_rule(const BerthDistro *distro, const BerthRule *rule)
{
    BerthForwardRule *made = g_new0(BerthForwardRule, 1);
    made->distro = g_strdup(distro->name);
    made->rule = berth_rule_format(rule);
    made->protocol = g_strdup(berth_protocol_word(rule->protocol));
    if (rule->family != 0)
        made->host_address = berth_rule_address_text(rule->family, rule->address);
    made->host_port = rule->host_port;
    made->guest_port = rule->guest_port;
    return made;
}

GPtrArray *berth_forward_list(Berth *berth, const char *name, GError **error)
{
    const char *const names[] = {name, NULL};
    g_autoptr(GPtrArray) distros = berth_handle_find_all(berth, name != NULL ? names : NULL, error);
    if (distros == NULL)
        return NULL;
    g_autoptr(GPtrArray) list =
        g_ptr_array_new_with_free_func((GDestroyNotify)berth_forward_rule_free);
    for (guint i = 0; i < distros->len; i++) {
        const BerthDistro *distro = distros->pdata[i];
        g_autoptr(GArray) rules = berth_rule_parse_list(distro->forwards, error);
        if (rules == NULL)
            return NULL;
        for (guint j = 0; j < rules->len; j++)
            g_ptr_array_add(list, public_rule(distro, &g_array_index(rules, BerthRule, j)));
    }
    return g_steal_pointer(&list);
}

bool berth_forward_add(Berth *berth, const char *name, const char *rule, char **ret_notice,
                       GError **error)
{
    return berth_forwards_add(berth, name, rule, ret_notice, error);
}

bool berth_forward_remove(Berth *berth, const char *name, const char *rule, GError **error)
{
    return berth_forwards_remove(berth, name, rule, error);
}

/* --- the host --- */

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

bool berth_host_allow(Berth *berth, const char *name, const char *const *ports, char **ret_notice,
                      GError **error)
{
    return berth_host_access_change(berth, name, ports, false, ret_notice, error);
}

bool berth_host_deny(Berth *berth, const char *name, const char *const *ports, char **ret_notice,
                     GError **error)
{
    return berth_host_access_change(berth, name, ports, true, ret_notice, error);
}

bool berth_host_allow_once(int connection, guint16 port, GError **error)
{
    return berth_request_allow_host_port(connection, port, error);
}

static BerthHostAccess *public_access(BerthHostGrants *grants)
{
    static const char *const origins[] = {
        [BERTH_GRANT_CONFIG] = "berth.conf",
        [BERTH_GRANT_USER] = "berth host",
        [BERTH_GRANT_SESSION] = "session",
    };
    BerthHostAccess *access = g_new0(BerthHostAccess, 1);
    access->distro = g_steal_pointer(&grants->distro);
    access->isolated = grants->isolated;
    access->outbound = g_steal_pointer(&grants->outbound);
    access->ports = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < grants->ports->len; i++) {
        const BerthHostGrant *grant = &g_array_index(grants->ports, BerthHostGrant, i);
        BerthHostPort *port = g_new(BerthHostPort, 1);
        *port = (BerthHostPort){.port = grant->port,
                                .origin = origins[grant->origin],
                                .temporary = grant->origin == BERTH_GRANT_SESSION};
        g_ptr_array_add(access->ports, port);
    }
    return access;
}

GPtrArray *berth_host_list(Berth *berth, const char *name, GError **error)
{
    g_autoptr(GPtrArray) all = berth_host_access_list(berth, name, error);
    if (all == NULL)
        return NULL;
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)berth_host_access_free);
    for (guint i = 0; i < all->len; i++)
        g_ptr_array_add(list, public_access(all->pdata[i]));
    return list;
}
