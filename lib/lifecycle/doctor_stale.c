/* SPDX-License-Identifier: MIT */
#include "doctor_private.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "disk/file/temp.h"
#include "instance/client/runtime.h"
#include "instance/control/runtime_files.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

static const char fix_command[] = "berth doctor --fix";

/* --- the runtime directory --- */

/* Whether the keeper that @dir's lock names is alive. Takes no lock: a start would meet it. */
static bool has_keeper(const char *dir)
{
    g_autofree char *path = g_build_filename(dir, BERTH_RUNTIME_LOCK, NULL);
    berth_autofd int lock = open(path, O_RDONLY | O_CLOEXEC);
    berth_autofd int pidfd = lock >= 0 ? berth_process_open_from(lock, NULL) : -1;
    struct pollfd ended = {.fd = pidfd, .events = POLLIN}; /* one not yet reaped has ended, too */
    return pidfd >= 0 && poll(&ended, 1, 0) == 0;
}

/* Whether a keeper of @dir was killed: at an orderly end it removes these. The distro may be
 * another registry's, where two share a runtime directory. */
static bool is_stale(const char *dir)
{
    g_autofree char *control = g_build_filename(dir, BERTH_RUNTIME_CONTROL, NULL);
    g_autofree char *machine = g_build_filename(dir, BERTH_RUNTIME_MACHINE, NULL);
    return (access(control, F_OK) == 0 || access(machine, F_OK) == 0) && !has_keeper(dir);
}

/* Count stale directories, and with `fix` remove what is stale. */
static guint visit(const BerthDoctor *doctor, guint *ret_fixed)
{
    const char *runtime = doctor->berth->layout->runtime;
    g_autoptr(GDir) listing = g_dir_open(runtime, 0, NULL);
    const char *id;
    guint stale = 0;
    while (listing != NULL && (id = g_dir_read_name(listing)) != NULL) {
        g_autofree char *dir = g_build_filename(runtime, id, NULL);
        if (!is_stale(dir))
            continue;
        stale++;
        *ret_fixed += doctor->options->fix && berth_runtime_clean(runtime, id);
    }
    return stale;
}

void berth_doctor_runtime(BerthDoctor *doctor, BerthDoctorRow *row)
{
    const char *runtime = doctor->berth->layout->runtime;
    g_autoptr(GError) problem = NULL;
    struct stat st;
    if (lstat(runtime, &st) < 0) {
        berth_doctor_say(row, BERTH_VERDICT_OK, NULL, "%s does not exist yet", runtime);
        return;
    }
    if (!berth_layout_check_private(runtime, &problem)) {
        berth_doctor_say_error(row, problem);
        return;
    }
    guint fixed = 0;
    guint stale = visit(doctor, &fixed);
    if (fixed > 0)
        row->fixed = g_strdup_printf("removed the files of %u killed %s", fixed,
                                     fixed == 1 ? "keeper" : "keepers");
    if (stale > fixed)
        berth_doctor_say(row, BERTH_VERDICT_WARNING, fix_command,
                         "%s: killed keepers left files of %u %s", runtime, stale - fixed,
                         stale - fixed == 1 ? "distro" : "distros");
    else
        berth_doctor_say(row, BERTH_VERDICT_OK, NULL, "%s", runtime);
}

/* --- temporary files --- */

static void add_children(GPtrArray *directories, const char *parent)
{
    g_autoptr(GDir) listing = g_dir_open(parent, 0, NULL);
    const char *name;
    while (listing != NULL && (name = g_dir_read_name(listing)) != NULL)
        g_ptr_array_add(directories, g_build_filename(parent, name, NULL));
}

/* Every directory in which berth makes files by lib/disk/file/temp; free with g_ptr_array_unref. */
static GPtrArray *temporary_places(const BerthDoctor *doctor)
{
    const BerthLayout *layout = doctor->berth->layout;
    GPtrArray *places = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *distros = g_build_filename(layout->data, "distros", NULL);
    g_ptr_array_add(places, g_strdup(layout->config));
    g_ptr_array_add(places, berth_layout_images(layout));
    g_ptr_array_add(places, berth_layout_downloads(layout));
    g_ptr_array_add(places, berth_layout_lists(layout));
    add_children(places, distros);
    return places;
}

void berth_doctor_temporary(BerthDoctor *doctor, BerthDoctorRow *row)
{
    g_autoptr(GPtrArray) places = temporary_places(doctor);
    guint left = 0, removed = 0;
    for (guint i = 0; i < places->len; i++) {
        guint here = berth_temp_count_left(places->pdata[i]);
        left += here;
        if (here > 0 && doctor->options->fix)
            removed += berth_temp_sweep(places->pdata[i]);
    }
    if (removed > 0)
        row->fixed = g_strdup_printf("removed %u %s", removed, removed == 1 ? "file" : "files");
    if (left > removed)
        berth_doctor_say(row, BERTH_VERDICT_WARNING, fix_command,
                         "killed commands left %u temporary %s", left - removed,
                         left - removed == 1 ? "file" : "files");
    else
        berth_doctor_say(row, BERTH_VERDICT_OK, NULL, "no files are left over");
}
