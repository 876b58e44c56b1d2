/* SPDX-License-Identifier: MIT */
#include "throwaway.h"

#include "distros.h"
#include "held.h"
#include "reach.h"

#include "base/error.h"
#include "base/fd.h"
#include "disk/file/free_later.h"
#include "manage/clone.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

struct BerthThrowaway {
    Berth *berth;
    BerthWatch watch;
    BerthClaim *claim;
    BerthDistro *distro;
    bool isolated;
};

static void free_clone(BerthThrowaway *clone)
{
    if (clone == NULL)
        return;
    clone->berth->waiting.goes_on = NULL;
    berth_fd_close(&clone->berth->lent);
    berth_claim_release(clone->claim);
    berth_distro_free(clone->distro);
    g_free(clone);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthThrowaway, free_clone)

static bool goes_on(gpointer user_data)
{
    const BerthThrowaway *clone = user_data;
    return clone->watch.progress == NULL || clone->watch.progress(0, 0, clone->watch.user_data);
}

/* Wait for other processes that clone @template: they would find its claim held. The returned
 * descriptor keeps our turn. Where directories cannot be locked it is -1 without @error, and one
 * process may find the template busy. */
static int wait_for_turn(const BerthThrowaway *clone, const BerthDistro *template, GError **error)
{
    g_autofree char *directory = berth_layout_distro(clone->berth->layout, template->id);
    berth_autofd int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = -1;
    while (fd >= 0 && (result = flock(fd, LOCK_EX)) < 0 && errno == EINTR) {
        if (goes_on((gpointer)clone))
            continue;
        berth_error_set(error, BERTH_ERROR_CANCELLED, "clone.cancelled", NULL, "cancelled");
        return -1;
    }
    return result == 0 ? berth_fd_steal(&fd) : -1;
}

/* The claim makes sure that a stopped template stays so while it is copied. */
static bool copy_template(BerthThrowaway *clone, const char *name, bool memory, GError **error)
{
    Berth *berth = clone->berth;
    g_autoptr(BerthDistro) template = NULL;
    g_auto(BerthHeld) held = BERTH_HELD_INIT;
    held.keeps_memory = held.for_clone = held.borrows = memory;
    held.isolated = clone->isolated;
    g_autoptr(BerthClaim) claim =
        berth_handle_claim(berth, name, BERTH_WORK_CLONE, &template, error);
    bool done = claim != NULL && berth_held_connect(&held, berth, template, error) &&
                berth_manage_clone_throwaway(berth->layout, berth->registry, template,
                                             berth_held_disk(&held), &clone->watch, &clone->claim,
                                             &clone->distro, error);
    if (done)
        berth->lent = berth_fd_steal(&held.lent);
    return done;
}

/* Where its memory cannot be had, a clone boots. */
static bool copy_with_memory(BerthThrowaway *clone, const char *name, GError **error)
{
    g_autoptr(GError) problem = NULL;
    if (copy_template(clone, name, true, &problem))
        return true;
    if (!berth_error_is(problem, BERTH_ERROR_CANCELLED))
        return copy_template(clone, name, false, error);
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

BerthThrowaway *berth_throwaway_make(Berth *berth, const char *template, bool isolated,
                                     BerthWorkFunc progress, gpointer user_data, GError **error)
{
    g_autoptr(BerthThrowaway) clone = g_new0(BerthThrowaway, 1);
    clone->berth = berth;
    clone->isolated = isolated;
    clone->watch = (BerthWatch){progress, user_data};
    berth_throwaway_clean(berth);
    g_autoptr(BerthDistro) found = berth_handle_find(berth, template, error);
    if (found == NULL)
        return NULL;
    g_autoptr(GError) problem = NULL;
    berth_autofd int turn = wait_for_turn(clone, found, &problem);
    if (problem != NULL) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return NULL;
    }
    if (!copy_with_memory(clone, found->name, error))
        return NULL;
    berth->waiting.goes_on = goes_on;
    berth->waiting.goes_on_data = clone;
    return g_steal_pointer(&clone);
}

const BerthDistro *berth_throwaway_distro(const BerthThrowaway *clone)
{
    return clone->distro;
}

bool berth_throwaway_end(BerthThrowaway *clone, GError **error)
{
    clone->berth->waiting.goes_on = NULL; /* the removal is not to be cancelled */
    berth_autofd int freed = berth_free_later(clone->distro->disk);
    bool ok = berth_distros_discard(clone->berth, clone->claim, clone->distro, error);
    free_clone(clone);
    return ok;
}

static bool is_held(const GPtrArray *holders, const char *id)
{
    for (guint i = 0; i < holders->len; i++)
        if (g_str_equal(((const BerthClaimHolder *)holders->pdata[i])->id, id))
            return true;
    return false;
}

/* Read the claims after the rows: a row whose clone is just being removed is gone when its claim
 * is, and then nothing is found. */
void berth_throwaway_clean(Berth *berth)
{
    BerthRegistry *registry = berth_handle_registry(berth, NULL);
    g_autoptr(GPtrArray) clones =
        registry != NULL ? berth_registry_list_clones(registry, NULL) : NULL;
    if (clones == NULL || clones->len == 0)
        return;
    g_autoptr(GPtrArray) holders = berth_claim_list(berth->layout);
    for (guint i = 0; i < clones->len; i++) {
        const BerthDistro *distro = clones->pdata[i];
        if (is_held(holders, distro->id))
            continue;
        berth_reach_end(berth, distro, 0, NULL); /* a keeper that did not notice, or hangs */
        berth_distros_unregister(berth, distro->name, NULL);
    }
}
