/* SPDX-License-Identifier: MIT */
#include "distros.h"

#include "autostart.h"
#include "held.h"
#include "reach.h"
#include "ssh.h"
#include "stop.h"

#include "base/error.h"
#include "base/fd.h"
#include "instance/client/request.h"
#include "instance/client/runtime.h"
#include "instance/control/hello.h"
#include "manage/adopt.h"
#include "manage/clone.h"
#include "manage/cloud_seed.h"
#include "manage/compose.h"
#include "manage/export.h"
#include "manage/hold.h"
#include "manage/import.h"
#include "manage/move.h"
#include "manage/remove.h"
#include "manage/resize.h"

#include <unistd.h>

/* The account to create in a new distro: @user or this user's name, or NULL for root. */
static char *wanted_account(const char *user, bool no_user)
{
    if (user != NULL)
        return g_strdup(user);
    return no_user || geteuid() == 0 ? NULL : berth_distro_account(g_get_user_name());
}

static bool check_user(const char *user, GError **error)
{
    g_autofree char *valid = berth_distro_account(user);
    if (g_strcmp0(valid, user) == 0)
        return true;
    g_autofree char *shown = g_strescape(user, NULL);
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.value",
                    "begin a name with a-z or _, and continue with a-z, _, digits and -",
                    "--user: \"%.80s\" is not a valid user name", shown);
    return false;
}

/* @done, of work that makes, names or removes a distro: ssh's configuration follows it. */
static bool refreshed(Berth *berth, bool done)
{
    if (done)
        berth_ssh_refresh(berth);
    return done;
}

/* Read the user-data; NULL @path: none. */
static bool read_cloud(const char *path, GBytes **ret_cloud, GError **error)
{
    *ret_cloud = path != NULL ? berth_cloud_seed_read(path, error) : NULL;
    return path == NULL || *ret_cloud != NULL;
}

bool berth_distros_import(Berth *berth, const BerthImportOptions *import,
                          BerthImportReport *ret_report, GError **error)
{
    g_autoptr(BerthSettings) settings = berth_handle_settings(berth, import->name, error);
    BerthRegistry *registry = settings != NULL ? berth_handle_registry(berth, error) : NULL;
    g_autoptr(GBytes) cloud = NULL;
    if (registry == NULL || !read_cloud(import->cloud, &cloud, error))
        return false;

    if (import->user != NULL && !check_user(import->user, error))
        return false;
    g_autofree char *images = berth_layout_images(berth->layout);
    g_autofree char *account = wanted_account(import->user, import->no_user || import->oobe);
    const BerthCache cache = {.directory = images, .limit = settings->cache_size};
    const BerthImportRequest request = {.name = import->name,
                                        .fd = import->fd,
                                        .download = import->download,
                                        .origin = import->origin,
                                        .path = import->path,
                                        .disk_size =
                                            import->size != 0 ? import->size : settings->disk_size,
                                        .inodes = import->inodes,
                                        .strip_root = import->strip_root,
                                        .image = import->image,
                                        .account = account,
                                        .account_uid = geteuid(),
                                        .oobe = import->oobe,
                                        .location = import->location,
                                        .cloud = cloud,
                                        .cache = &cache};
    const BerthImportWatch watch = {
        .progress = import->progress, .notice = import->notice, .user_data = import->user_data};
    return refreshed(
        berth, berth_manage_import(berth->layout, registry, &request, &watch, ret_report, error));
}

bool berth_distros_import_in_place(Berth *berth, const BerthImportOptions *import, GError **error)
{
    BerthRegistry *registry = berth_handle_registry(berth, error);
    g_autofree char *account = wanted_account(NULL, import->no_user);
    g_autoptr(GBytes) cloud = NULL;
    if (registry == NULL || !read_cloud(import->cloud, &cloud, error))
        return false;
    const BerthAdoptRequest request = {.name = import->name,
                                       .path = import->path,
                                       .account = account,
                                       .account_uid = geteuid(),
                                       .cloud = cloud,
                                       .notice = import->notice,
                                       .user_data = import->user_data};
    return refreshed(berth, berth_manage_adopt(berth->layout, registry, &request, error));
}

bool berth_distros_export(Berth *berth, const char *name, const BerthExportRequest *request,
                          BerthExportFunc progress, gpointer user_data, char **ret_notice,
                          GError **error)
{
    g_autoptr(BerthDistro) distro = NULL;
    g_autoptr(BerthClaim) claim = NULL;
    if (!berth_handle_claim_to_read(berth, name, BERTH_WORK_EXPORT, &claim, &distro, error))
        return false;
    return berth_manage_export(berth->layout, distro, request, progress, user_data, ret_notice,
                               error);
}

static bool force_off(Berth *berth, const BerthDistro *distro, GError **error)
{
    const int attempts = 2; /* another command may have been starting it when it was claimed */
    const char *const names[] = {distro->name, NULL};
    const BerthStopOptions at_once = {.force = true};
    for (int attempt = 1;; attempt++) {
        g_autoptr(GError) problem = NULL;
        if (!berth_stop_distros(berth, names, &at_once, error))
            return false;
        if (berth_runtime_require_stopped(berth->layout->runtime, distro->id, distro->name,
                                          &problem))
            return true;
        if (attempt == attempts) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return false;
        }
    }
}

bool berth_distros_discard(Berth *berth, BerthClaim *claim, const BerthDistro *distro,
                           GError **error)
{
    if (!force_off(berth, distro, error) ||
        !berth_manage_remove(berth->registry, claim, distro, error))
        return false;
    berth_runtime_forget(berth->layout->runtime, distro->id);
    return refreshed(berth, true);
}

bool berth_distros_unregister(Berth *berth, const char *name, GError **error)
{
    g_autoptr(BerthDistro) distro = NULL;
    g_autoptr(BerthClaim) claim =
        berth_handle_claim(berth, name, BERTH_WORK_REMOVE, &distro, error);
    if (claim == NULL || !berth_distros_discard(berth, claim, distro, error))
        return false;
    berth_autostart_forget(berth, distro->name);
    return true;
}

static bool require_memory(const BerthHeld *held, GError **error)
{
    if (berth_held_has_memory(held))
        return true;
    g_autofree char *hint = g_strdup_printf("start it first: berth start %s; or clone its disk: "
                                            "berth clone %s NAME",
                                            held->distro->name, held->distro->name);
    berth_error_set(error, BERTH_ERROR_NOT_RUNNING, "clone.stopped", hint,
                    "%s is neither running nor suspended, so it has no memory to clone",
                    held->distro->name);
    return false;
}

bool berth_distros_clone(Berth *berth, const char *source, const char *name, bool live,
                         BerthWorkFunc progress, gpointer user_data, GError **error)
{
    const BerthWatch watch = {progress, user_data};
    g_autoptr(BerthDistro) distro = NULL;
    g_auto(BerthHeld) held = BERTH_HELD_INIT;
    held.keeps_memory = held.for_clone = live;
    g_autoptr(BerthClaim) claim =
        berth_handle_claim(berth, source, BERTH_WORK_CLONE, &distro, error);
    if (claim == NULL || !berth_held_connect(&held, berth, distro, error) ||
        (live && !require_memory(&held, error)))
        return false;
    bool ok = refreshed(berth, berth_manage_clone(berth->layout, berth->registry, distro, name,
                                                  berth_held_disk(&held), &watch, error));
    gint64 pause_usec;
    return berth_held_end(&held, &pause_usec, ok ? error : NULL) && ok;
}

/* Whether another distro is called @name: then its unit is none of ours. */
static bool is_taken(Berth *berth, const BerthDistro *distro, const char *name)
{
    g_autoptr(BerthDistro) other = berth_registry_find(berth->registry, name, NULL);
    return other != NULL && !g_str_equal(other->id, distro->id);
}

/* The unit of the new name is there before the name is, and that of the old one afterwards. */
static bool rename_with_unit(Berth *berth, const BerthDistro *distro, const char *name,
                             GError **error)
{
    bool follows = !is_taken(berth, distro, name) && berth_distro_check_name(name, NULL) &&
                   !g_str_equal(distro->name, name);
    if (follows && !berth_autostart_prepare_rename(berth, distro->name, name, error))
        return false;
    bool done = berth_manage_rename(berth->layout, berth->registry, distro, name, error);
    if (follows)
        berth_autostart_forget(berth, done ? distro->name : name);
    return refreshed(berth, done);
}

bool berth_distros_rename(Berth *berth, const char *name, const char *new_name, GError **error)
{
    g_autoptr(BerthDistro) distro = NULL;
    g_autoptr(BerthClaim) claim =
        berth_handle_claim(berth, name, BERTH_WORK_RENAME, &distro, error);
    return claim != NULL && rename_with_unit(berth, distro, new_name, error);
}

bool berth_distros_move(Berth *berth, const char *name, const char *directory,
                        BerthWorkFunc progress, gpointer user_data, GError **error)
{
    const BerthWatch watch = {progress, user_data};
    g_autoptr(BerthDistro) distro = NULL;
    g_autoptr(BerthClaim) claim =
        berth_handle_claim_stopped(berth, name, BERTH_WORK_MOVE, &distro, error);
    return claim != NULL && berth_hold_check_unparked(distro, error) &&
           berth_manage_move(berth->layout, berth->registry, claim, distro, directory, &watch,
                             error);
}

typedef enum { NOT_RUNNING, GROWN, NOT_GROWN } Growth;

static bool should_continue(gpointer user_data)
{
    const BerthWatch *watch = user_data;
    return watch->progress == NULL || watch->progress(0, 0, watch->user_data);
}

/* Grow the disk under a running guest, through its keeper; the claim prevents another start. */
static Growth grow_running(Berth *berth, BerthDistro *distro, guint64 size, BerthWatch *watch,
                           GError **error)
{
    BerthWaiting waiting = berth->waiting;
    waiting.goes_on = should_continue;
    waiting.goes_on_data = watch;
    g_autoptr(GError) problem = NULL;
    berth_autofd int fd = berth_reach_connect(berth, distro, &problem);
    bool ok = fd >= 0 && berth_request_wait(fd, &waiting, &problem) &&
              berth_request_grow(fd, size, &waiting, &problem);
    if (!ok && berth_runtime_is_gone(problem))
        return NOT_RUNNING;
    if (!ok) {
        guint64 now; /* the disk may have the size before the guest sees it */
        if (berth_manage_disk_size(distro, &now, NULL) && now == size)
            berth_manage_record_size(berth->registry, distro, size, NULL);
        berth_hello_name_distro(&problem, distro->name);
        g_propagate_error(error, g_steal_pointer(&problem));
        return NOT_GROWN;
    }
    return berth_manage_record_size(berth->registry, distro, size, error) ? GROWN : NOT_GROWN;
}

bool berth_distros_resize(Berth *berth, const char *name, guint64 size, BerthWorkFunc progress,
                          gpointer user_data, GError **error)
{
    BerthWatch watch = {progress, user_data};
    g_autoptr(BerthDistro) distro = NULL;
    g_autoptr(BerthClaim) claim = NULL;
    guint64 now;
    if (!berth_manage_check_size(&size, error))
        return false;
    claim = berth_handle_claim(berth, name, BERTH_WORK_RESIZE, &distro, error);
    if (claim == NULL || !berth_manage_disk_size(distro, &now, error))
        return false;
    Growth growth = size > now ? grow_running(berth, distro, size, &watch, error) : NOT_RUNNING;
    if (growth != NOT_RUNNING)
        return growth == GROWN;
    if (!berth_runtime_require_stopped(berth->layout->runtime, distro->id, distro->name, error))
        return false;
    return size >= now
               ? berth_manage_grow(berth->registry, distro, size, error)
               : berth_manage_shrink(berth->layout, berth->registry, distro, size, &watch, error);
}

/* Replace the hint of berth-image, which does not know the distro's name. */
static void name_distro(const BerthDistro *distro, GError **error)
{
    if (!g_str_equal(berth_error_id(*error), "compact.unclean"))
        return;
    g_autofree char *message = g_strdup((*error)->message);
    g_autofree char *hint =
        g_strdup_printf("let a start repair it: berth start %s; berth terminate %s; then try again",
                        distro->name, distro->name);
    g_clear_error(error);
    berth_error_set(error, BERTH_ERROR_INVALID, "compact.unclean", hint, "%s", message);
}

bool berth_distros_compact(Berth *berth, const char *name, BerthWorkFunc progress,
                           gpointer user_data, guint64 *ret_before, guint64 *ret_after,
                           GError **error)
{
    const BerthWatch watch = {progress, user_data};
    g_autoptr(BerthDistro) distro = NULL;
    g_autoptr(BerthClaim) claim =
        berth_handle_claim_stopped(berth, name, BERTH_WORK_COMPACT, &distro, error);
    g_autoptr(GError) problem = NULL;
    if (claim == NULL)
        return false;
    if (berth_manage_compact(berth->layout, distro, &watch, ret_before, ret_after, &problem))
        return true;
    name_distro(distro, &problem);
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}
