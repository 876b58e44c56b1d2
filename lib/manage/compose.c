/* SPDX-License-Identifier: MIT */
#include "compose.h"

#include "base/zone.h"
#include "model/settings_check.h"
#include "park/park_file.h"
#include "store/template.h"

#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

BerthSettings *berth_compose_settings(const BerthLayout *layout, const char *distro,
                                      const char *const *environment, GError **error)
{
    g_autofree char *text = NULL;
    g_autofree char *path = NULL;
    if (!berth_template_read_settings(layout, &text, &path, error))
        return NULL;
    return berth_settings_new(distro, text, path, environment, error);
}

BerthSettings *berth_compose_trace(const BerthLayout *layout, const char *distro,
                                   const char *const *environment, BerthSettingOrigin *ret_origins,
                                   GError **error)
{
    g_autofree char *text = NULL;
    g_autofree char *path = NULL;
    if (!berth_template_read_settings(layout, &text, &path, error))
        return NULL;
    return berth_settings_trace(distro, text, path, environment, ret_origins, error);
}

char **berth_compose_warnings(const BerthLayout *layout, const char *const *environment)
{
    g_autofree char *text = NULL;
    g_autofree char *path = NULL;
    bool found = berth_template_read_settings(layout, &text, &path, NULL) && text != NULL;
    g_auto(GStrv) in_file = found ? berth_settings_check(text, path) : g_new0(char *, 1);
    g_auto(GStrv) in_environment = berth_settings_check_environment(environment);
    g_autoptr(GStrvBuilder) all = g_strv_builder_new();
    g_strv_builder_addv(all, (const char **)in_file);
    g_strv_builder_addv(all, (const char **)in_environment);
    return g_strv_builder_end(all);
}

static guint64 physical_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_size = sysconf(_SC_PAGE_SIZE);
    return pages > 0 && page_size > 0 ? (guint64)pages * (guint64)page_size : 0;
}

/* The processors that this process may use, which may be restricted in a container. */
static guint usable_cpus(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 0;
    if (count <= 0) /* more processors than the set holds */
        count = (int)sysconf(_SC_NPROCESSORS_ONLN);
    return (guint)MAX(count, 1);
}

char *berth_compose_over_ask(const BerthSettings *settings, const char *key)
{
    const BerthHost host = {.memory = physical_memory(), .cpus = usable_cpus()};
    return berth_machine_over_ask(settings, &host, key);
}

BerthMachine *berth_compose_machine(const BerthLayout *layout, const BerthDistro *distro,
                                    const char *const *environment, GError **error)
{
    g_autoptr(BerthSettings) settings =
        berth_compose_settings(layout, berth_distro_settings_name(distro), environment, error);
    if (settings == NULL)
        return NULL;

    struct utsname host_name;
    uname(&host_name);
    g_autofree char *template = berth_template_read_machine(layout, host_name.machine, error);
    if (template == NULL)
        return NULL;

    g_autofree char *kernel = berth_layout_kernel(layout);
    g_autofree char *initramfs = berth_layout_initramfs(layout);
    g_autofree char *log = berth_layout_log(layout, distro->id);
    g_autofree char *zone = berth_zone_name(BERTH_ZONE_LINK);
    g_autofree char *home = realpath(g_get_home_dir(), NULL);
    g_autofree char *settings_path = berth_layout_settings(layout);
    BerthMachineSize parked;
    bool is_parked = distro->disk != NULL && berth_park_read_size(distro->disk, &parked);
    const BerthHost host = {.parked = is_parked ? &parked : NULL,
                            .memory = physical_memory(),
                            .cpus = usable_cpus(),
                            .kernel = kernel,
                            .initramfs = initramfs,
                            .log = log,
                            .time_zone = zone,
                            .settings = settings_path,
                            .data = layout->data,
                            .home = home};
    return berth_machine_new(distro, settings, &host, template, error);
}
