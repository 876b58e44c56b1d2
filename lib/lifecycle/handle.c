/* SPDX-License-Identifier: MIT */
#include "handle.h"

#include "base/error.h"
#include "instance/client/runtime.h"
#include "manage/compose.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <sys/stat.h>

/* The file that this function was loaded from. */
static char *find_code(void)
{
    Dl_info info;
    struct link_map *map = NULL;
    void *here = (void *)(guintptr)find_code;
    bool is_library = dladdr1(here, &info, (void **)&map, RTLD_DL_LINKMAP) != 0 && map != NULL &&
                      map->l_name[0] != '\0';
    return is_library ? realpath(map->l_name, NULL) : g_file_read_link("/proc/self/exe", NULL);
}

Berth *berth_handle_new(const char *const *environment, const BerthLayoutSupport *support,
                        GError **error)
{
    g_autofree char *code = support->code == NULL ? find_code() : g_strdup(support->code);
    const BerthLayoutSupport places = {code, support->relative, support->installed};
    BerthLayout *layout = berth_layout_new(environment, &places, error);
    if (layout == NULL)
        return NULL;

    Berth *berth = g_new0(Berth, 1);
    berth->environment = g_strdupv((char **)environment);
    berth->layout = layout;
    berth->lent = -1;
    return berth;
}

void berth_handle_free(Berth *berth)
{
    if (berth == NULL)
        return;
    berth_registry_close(berth->registry);
    berth_layout_free(berth->layout);
    g_strfreev(berth->environment);
    g_free(berth);
}

/* Whether no registry exists and @problem is the reason why none can be created. */
static bool cannot_be_made(const char *path, const GError *problem)
{
    struct stat st;
    bool denied = berth_error_is(problem, BERTH_ERROR_DENIED) ||
                  berth_error_is(problem, BERTH_ERROR_NO_SPACE);
    return denied && lstat(path, &st) < 0 && errno == ENOENT;
}

BerthRegistry *berth_handle_registry(Berth *berth, GError **error)
{
    if (berth->registry != NULL)
        return berth->registry;
    g_autofree char *path = berth_layout_registry(berth->layout);
    g_autoptr(GError) problem = NULL;
    if (berth_layout_make(berth->layout->data, &problem))
        berth->registry = berth_registry_open(path, &problem);
    if (berth->registry == NULL && cannot_be_made(path, problem)) {
        g_clear_error(&problem);
        berth->registry = berth_registry_open_empty(path, &problem);
    }
    if (berth->registry == NULL)
        g_propagate_error(error, g_steal_pointer(&problem));
    return berth->registry;
}

/* Call @warn once per handle. */
static void warn_of_settings(Berth *berth)
{
    void (*warn)(const char *line, gpointer user_data) = berth->warn;
    berth->warn = NULL;
    if (warn == NULL)
        return;
    g_auto(GStrv) lines = berth_compose_warnings(berth->layout, berth_handle_environment(berth));
    for (gsize i = 0; lines[i] != NULL; i++)
        warn(lines[i], berth->warn_data);
}

BerthSettings *berth_handle_settings(Berth *berth, const char *distro, GError **error)
{
    return berth_handle_trace(berth, distro, NULL, error);
}

BerthSettings *berth_handle_trace(Berth *berth, const char *distro, BerthSettingOrigin *ret_origins,
                                  GError **error)
{
    BerthSettings *settings = berth_compose_trace(
        berth->layout, distro, berth_handle_environment(berth), ret_origins, error);
    if (settings != NULL)
        warn_of_settings(berth);
    return settings;
}

BerthMachine *berth_handle_machine(Berth *berth, const BerthDistro *distro, GError **error)
{
    BerthMachine *machine =
        berth_compose_machine(berth->layout, distro, berth_handle_environment(berth), error);
    if (machine != NULL)
        warn_of_settings(berth);
    return machine;
}

BerthDistro *berth_handle_find(Berth *berth, const char *name, GError **error)
{
    BerthRegistry *registry = berth_handle_registry(berth, error);
    return registry != NULL ? berth_registry_find(registry, name, error) : NULL;
}

GPtrArray *berth_handle_find_all(Berth *berth, const char *const *names, GError **error)
{
    BerthRegistry *registry = berth_handle_registry(berth, error);
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

const char *berth_handle_runtime(Berth *berth, GError **error)
{
    const char *runtime = berth->layout->runtime;
    return berth_layout_check_private(runtime, error) ? runtime : NULL;
}

const char *berth_handle_make_runtime(Berth *berth, GError **error)
{
    const char *runtime = berth->layout->runtime;
    return berth_layout_make_private(runtime, error) ? runtime : NULL;
}

BerthClaim *berth_handle_claim(Berth *berth, const char *name, BerthWork work,
                               BerthDistro **ret_distro, GError **error)
{
    BerthRegistry *registry = berth_handle_registry(berth, error);
    if (registry == NULL || berth_handle_runtime(berth, error) == NULL)
        return NULL;
    return berth_claim_distro(berth->layout, registry, name, work, ret_distro, error);
}

BerthClaim *berth_handle_claim_stopped(Berth *berth, const char *name, BerthWork work,
                                       BerthDistro **ret_distro, GError **error)
{
    g_autoptr(BerthDistro) distro = NULL;
    g_autoptr(BerthClaim) claim = berth_handle_claim(berth, name, work, &distro, error);
    if (claim == NULL ||
        !berth_runtime_require_stopped(berth->layout->runtime, distro->id, distro->name, error))
        return NULL;
    *ret_distro = g_steal_pointer(&distro);
    return g_steal_pointer(&claim);
}

bool berth_handle_claim_to_read(Berth *berth, const char *name, BerthWork work,
                                BerthClaim **ret_claim, BerthDistro **ret_distro, GError **error)
{
    g_autoptr(GError) problem = NULL;
    *ret_claim = berth_handle_claim_stopped(berth, name, work, ret_distro, &problem);
    if (*ret_claim != NULL)
        return true;
    static const char *const unwritable[] = {"claim.denied", "claim.read-only", "claim.no-space",
                                             NULL};
    if (!g_strv_contains(unwritable, berth_error_id(problem))) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    *ret_distro = berth_handle_find(berth, name, error);
    return *ret_distro != NULL;
}

static void job_free(BerthJob *job)
{
    g_clear_error(&job->error);
    g_free(job);
}

GPtrArray *berth_handle_for_each(Berth *berth, GPtrArray *distros, GThreadFunc work,
                                 gconstpointer data)
{
    GPtrArray *jobs = g_ptr_array_new_with_free_func((GDestroyNotify)job_free);
    g_autoptr(GPtrArray) threads = g_ptr_array_new();
    /* GLib makes its C locale when it first parses a number. Threads that do so at the same time
     * wait in a futex, whose EAGAIN stays in errno, which g_ascii_string_to_unsigned takes for its
     * own. */
    g_ascii_strtoull("0", NULL, 10);
    for (guint i = 0; i < distros->len; i++) {
        BerthJob *job = g_new0(BerthJob, 1);
        job->berth = berth;
        job->distro = distros->pdata[i];
        job->data = data;
        g_ptr_array_add(jobs, job);
        g_ptr_array_add(threads, g_thread_new("berth", work, job));
    }
    for (guint i = 0; i < threads->len; i++)
        g_thread_join(threads->pdata[i]);
    return jobs;
}

bool berth_handle_all_succeeded(const GPtrArray *jobs, GError **error)
{
    for (guint i = 0; i < jobs->len; i++) {
        const BerthJob *job = jobs->pdata[i];
        if (job->error == NULL)
            continue;
        g_propagate_error(error, g_error_copy(job->error));
        if (jobs->len > 1)
            g_prefix_error(error, "%s: ", job->distro->name);
        return false;
    }
    return true;
}
