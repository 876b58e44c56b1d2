/* SPDX-License-Identifier: MIT */
#include "review.h"

#include "base/error.h"
#include "base/fd.h"
#include "model/share.h"
#include "overlay/hold.h"
#include "overlay/settled.h"
#include "overlay/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* Copies of less than this are made while the distro is held; larger ones before, and if it changes
 * the same files all the time, in the last round. */
#define STAGE_WORTH  ((guint64)4 << 20)
#define STAGE_ROUNDS 3u

/* A share with its overlay. */
typedef struct {
    BerthShare *share; /* borrowed */
    int lower;
    BerthOverlay *overlay;
    int hold;                 /* the connection to berth-share, which holds it meanwhile; or -1 */
    GPtrArray *changes;       /* those to settle, BerthOverlayChange *; NULL: not selected */
    BerthOverlayStage *stage; /* their copies; NULL: they are discarded */
} Reviewed;

static void reviewed_clear(Reviewed *reviewed)
{
    g_clear_pointer(&reviewed->changes, g_ptr_array_unref);
    if (reviewed->overlay != NULL)
        berth_overlay_release(reviewed->overlay); /* first: removals take their time */
    berth_fd_close(&reviewed->hold);
    g_clear_pointer(&reviewed->stage, berth_overlay_stage_free);
    g_clear_pointer(&reviewed->overlay, berth_overlay_free);
    berth_fd_close(&reviewed->lower);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Reviewed, reviewed_clear)

static bool open_share(Berth *berth, const BerthDistro *distro, BerthShare *share,
                       Reviewed *ret_reviewed, GError **error)
{
    g_autofree char *dir = berth_layout_overlay(berth->layout, distro->id, share->overlay);
    *ret_reviewed = (Reviewed){.share = share, .hold = -1};
    ret_reviewed->lower = open(share->source, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (ret_reviewed->lower < 0) {
        berth_error_set_errno(error, errno, "changes.open", "%s", share->source);
        return false;
    }
    ret_reviewed->overlay = berth_overlay_open(dir, ret_reviewed->lower, error);
    return ret_reviewed->overlay != NULL;
}

/* Whether @path is @directory or below it. */
static bool is_within(const char *path, const char *directory)
{
    gsize length = strlen(directory);
    return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* @path without links but a last one, which need not be there; NULL: all paths. */
static char *resolve(const char *path)
{
    if (path == NULL)
        return NULL;
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);
    g_autofree char *name = g_path_get_basename(absolute);
    for (g_autofree char *at = g_path_get_dirname(absolute);;) {
        char *found = realpath(at, NULL);
        if (found == NULL && !g_str_equal(at, "/")) { /* the distro made the directory */
            g_autofree char *last = g_path_get_basename(at);
            g_autofree char *longer = g_build_filename(last, name, NULL);
            g_free(name);
            name = g_steal_pointer(&longer);
            char *parent = g_path_get_dirname(at);
            g_free(at);
            at = parent;
            continue;
        }
        char *resolved = g_build_filename(found != NULL ? found : "/", name, NULL);
        free(found);
        return resolved;
    }
}

/* The distro's shares that keep changes; of these the one that @path is in. */
static GPtrArray *find_shares(Berth *berth, const BerthDistro *distro, const char *path,
                              GError **error)
{
    g_autoptr(GPtrArray) shares = berth_registry_shares(berth->registry, distro, error);
    if (shares == NULL)
        return NULL;
    bool any = false;
    for (guint i = 0; i < shares->len;) {
        const BerthShare *share = shares->pdata[i];
        any = any || share->overlay != NULL;
        if (share->overlay != NULL && (path == NULL || is_within(path, share->source)))
            i++;
        else
            g_ptr_array_remove_index(shares, i);
    }
    if (shares->len > 0)
        return g_steal_pointer(&shares);
    if (any)
        berth_error_set(error, BERTH_ERROR_NOT_FOUND, "changes.path",
                        "list the shares: berth share ls", "%s is in no share of %s with --cow",
                        path, distro->name);
    else
        berth_error_set(error, BERTH_ERROR_NOT_FOUND, "changes.none",
                        "add one: berth share add NAME DIR --cow", "%s has no share with --cow",
                        distro->name);
    return NULL;
}

/* ---- listing ---- */

static void change_free(BerthShareChange *change)
{
    g_free(change->path);
    g_free(change);
}

static char *path_of(const Reviewed *reviewed, const BerthOverlayChange *change)
{
    return g_build_filename(reviewed->share->source, change->path, NULL);
}

static void add_changes(const Reviewed *reviewed, const char *within, GPtrArray *list)
{
    g_autoptr(GPtrArray) found = berth_overlay_changes(reviewed->overlay);
    for (guint i = 0; i < found->len; i++) {
        const BerthOverlayChange *change = found->pdata[i];
        g_autofree char *path = path_of(reviewed, change);
        if (within != NULL && !is_within(path, within))
            continue;
        BerthShareChange *added = g_new(BerthShareChange, 1);
        *added = (BerthShareChange){g_steal_pointer(&path), change->kind, change->is_directory,
                                    change->is_conflict};
        g_ptr_array_add(list, added);
    }
}

GPtrArray *berth_review_list(Berth *berth, const char *name, const char *path, GError **error)
{
    g_autofree char *within = resolve(path);
    g_autoptr(BerthDistro) distro = berth_handle_find(berth, name, error);
    g_autoptr(GPtrArray) shares = distro != NULL ? find_shares(berth, distro, within, error) : NULL;
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)change_free);
    if (shares == NULL)
        return NULL;
    for (guint i = 0; i < shares->len; i++) {
        g_auto(Reviewed) reviewed = {.lower = -1, .hold = -1};
        if (!open_share(berth, distro, shares->pdata[i], &reviewed, error))
            return NULL;
        add_changes(&reviewed, within, list);
    }
    return g_steal_pointer(&list);
}

/* ---- accepting and discarding ---- */

/* Claim the overlay. A running distro's berth-share, which has it, holds the distro's requests
 * until this process gives it back. */
static bool claim(Reviewed *reviewed, const BerthDistro *distro, GError **error)
{
    g_autoptr(GError) problem = NULL;
    if (berth_overlay_claim(reviewed->overlay, false, &problem))
        return true;
    if (berth_error_is(problem, BERTH_ERROR_BUSY)) {
        g_clear_error(&problem);
        reviewed->hold = berth_overlay_hold(reviewed->overlay, &problem);
    }
    if (reviewed->hold >= 0 && berth_overlay_claim(reviewed->overlay, false, &problem))
        return true;
    if (!berth_error_is(problem, BERTH_ERROR_BUSY)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    g_autofree char *hint =
        g_strdup_printf("try again, or stop it: berth terminate %s", distro->name);
    berth_error_set(error, BERTH_ERROR_BUSY, "changes.busy", hint,
                    "%s has %s in use, and does not release it", distro->name,
                    reviewed->share->source);
    return false;
}

static bool refuse_locked(const char *path, const BerthDistro *distro, GError **error)
{
    g_autofree char *hint = g_strdup_printf(
        "end the program there, or stop the distro: berth terminate %s", distro->name);
    berth_error_set(error, BERTH_ERROR_BUSY, "changes.locked", hint,
                    "a program in %s has locked %s", distro->name, path);
    return false;
}

/* Check that @change may be accepted where @within says. */
static bool check_change(const Reviewed *reviewed, const BerthDistro *distro,
                         const BerthOverlayChange *change, BerthReview review, GError **error)
{
    g_autofree char *path = path_of(reviewed, change);
    if (review != REVIEW_DISCARD && berth_overlay_is_locked(reviewed->overlay, change))
        return refuse_locked(path, distro, error);
    if (review != REVIEW_ACCEPT || !change->is_conflict)
        return true;
    berth_error_set(error, BERTH_ERROR_INVALID, "changes.conflict",
                    "compare both, then accept with --force, or discard the distro's",
                    "this host has changed %s too", path);
    return false;
}

/* The changes at or below @within; NULL with @error if one cannot be settled, or @within is only a
 * part of one. */
static GPtrArray *select_changes(const Reviewed *reviewed, const BerthDistro *distro,
                                 const char *within, BerthReview review, GError **error)
{
    g_autoptr(GPtrArray) changes = berth_overlay_changes(reviewed->overlay);
    for (guint i = 0; i < changes->len;) {
        const BerthOverlayChange *change = changes->pdata[i];
        g_autofree char *path = path_of(reviewed, change);
        if (within != NULL && !is_within(path, within)) {
            if (is_within(within, path) && change->kind != BERTH_CHANGE_MODE) {
                berth_error_set(error, BERTH_ERROR_INVALID, "changes.part",
                                "give this directory itself", "%s was added or replaced as a whole",
                                path);
                return NULL;
            }
            g_ptr_array_remove_index(changes, i);
            continue;
        }
        if (!check_change(reviewed, distro, change, review, error))
            return NULL;
        i++;
    }
    return g_steal_pointer(&changes);
}

static bool settle(const Reviewed *reviewed, BerthReview review, guint *ret_count, GError **error)
{
    for (guint i = 0; i < reviewed->changes->len; i++) {
        const BerthOverlayChange *change = reviewed->changes->pdata[i];
        if (!berth_overlay_add_settled(reviewed->overlay, change, review != REVIEW_DISCARD, error))
            return false;
        if (!(review == REVIEW_DISCARD
                  ? berth_overlay_discard(reviewed->overlay, change, error)
                  : berth_overlay_accept(reviewed->overlay, change, reviewed->stage, error)))
            return false;
        ++*ret_count;
    }
    return true;
}

/* ---- all shares ---- */

/* Let the distro go on. */
static void let_go(GArray *all)
{
    for (guint i = 0; i < all->len; i++) {
        Reviewed *reviewed = &g_array_index(all, Reviewed, i);
        berth_overlay_release(reviewed->overlay);
        if (reviewed->hold >= 0)
            berth_overlay_let_go(reviewed->hold);
    }
}

/* Wait until the distro sees what was settled. If it does not look in time, it sees it when it
 * does. */
static void await_shown(GArray *all)
{
    for (guint i = 0; i < all->len; i++) {
        Reviewed *reviewed = &g_array_index(all, Reviewed, i);
        if (reviewed->hold >= 0)
            berth_overlay_await_shown(reviewed->hold);
        berth_fd_close(&reviewed->hold);
    }
}

static bool open_all(Berth *berth, const BerthDistro *distro, const GPtrArray *shares,
                     BerthReview review, GArray *all, GError **error)
{
    for (guint i = 0; i < shares->len; i++) {
        Reviewed opened = {.lower = -1, .hold = -1};
        bool done = open_share(berth, distro, shares->pdata[i], &opened, error);
        if (done && review != REVIEW_DISCARD)
            opened.stage = berth_overlay_stage_new(opened.overlay);
        g_array_append_val(all, opened);
        if (!done)
            return false;
        berth_overlay_defer_removals(opened.overlay);
    }
    return true;
}

/* Lock the shares, and select what to settle there. */
static bool prepare_all(GArray *all, const BerthDistro *distro, const char *within,
                        BerthReview review, GError **error)
{
    for (guint i = 0; i < all->len; i++)
        if (!claim(&g_array_index(all, Reviewed, i), distro, error))
            return false;
    for (guint i = 0; i < all->len; i++) {
        Reviewed *reviewed = &g_array_index(all, Reviewed, i);
        g_clear_pointer(&reviewed->changes, g_ptr_array_unref);
        reviewed->changes = select_changes(reviewed, distro, within, review, error);
        if (reviewed->changes == NULL)
            return false;
    }
    return true;
}

/* Whether the copies that accepting would make are too many to hold the distro meanwhile. */
static bool is_long(GArray *all)
{
    guint64 cost = 0;
    bool is_held = false;
    for (guint i = 0; i < all->len; i++) {
        const Reviewed *reviewed = &g_array_index(all, Reviewed, i);
        is_held = is_held || reviewed->hold >= 0;
        if (reviewed->stage != NULL)
            cost += berth_overlay_stage_look(reviewed->stage, reviewed->changes);
    }
    return is_held && cost >= STAGE_WORTH;
}

static bool copy_all(GArray *all, GError **error)
{
    let_go(all);
    for (guint i = 0; i < all->len; i++)
        if (!berth_overlay_stage_copy(g_array_index(all, Reviewed, i).stage, error))
            return false;
    await_shown(all); /* it holds none of them any more */
    return true;
}

/* All @shares are locked and checked before the first is changed. */
static bool settle_all(Berth *berth, const BerthDistro *distro, const GPtrArray *shares,
                       const char *within, BerthReview review, guint *ret_count, GError **error)
{
    g_autoptr(GArray) all = g_array_sized_new(FALSE, TRUE, sizeof(Reviewed), shares->len);
    g_array_set_clear_func(all, (GDestroyNotify)reviewed_clear);
    if (!open_all(berth, distro, shares, review, all, error) ||
        !prepare_all(all, distro, within, review, error))
        return false;
    for (guint round = 0; is_long(all) && round < STAGE_ROUNDS; round++)
        if (!copy_all(all, error) || !prepare_all(all, distro, within, review, error))
            return false;
    for (guint i = 0; i < all->len; i++)
        if (!settle(&g_array_index(all, Reviewed, i), review, ret_count, error))
            return false;
    let_go(all);
    await_shown(all);
    return true;
}

bool berth_review_settle(Berth *berth, const char *name, const char *path, BerthReview review,
                         guint *ret_count, GError **error)
{
    g_autofree char *within = resolve(path);
    g_autoptr(BerthDistro) distro = berth_handle_find(berth, name, error);
    g_autoptr(GPtrArray) shares = distro != NULL ? find_shares(berth, distro, within, error) : NULL;
    *ret_count = 0;
    return shares != NULL && settle_all(berth, distro, shares, within, review, ret_count, error);
}
