/* SPDX-License-Identifier: MIT */
#include "list.h"

#include "throwaway.h"
#include "reach.h"
#include "snapshots.h"

#include "base/fd.h"
#include "instance/client/runtime.h"
#include "instance/control/hello.h"
#include "manage/autostart.h"
#include "manage/hold.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void berth_listing_free(BerthListing *listing)
{
    if (listing == NULL)
        return;
    g_free(listing->name);
    g_free(listing->id);
    g_free(listing->disk);
    g_free(listing->state);
    g_free(listing->reason);
    g_free(listing->template);
    berth_instance_status_free(listing->status);
    g_clear_pointer(&listing->forwards, g_ptr_array_unref);
    g_free(listing);
}

/* Use the file's size: a killed resize may have left the row outdated. */
void berth_disk_measure(const BerthDistro *distro, guint64 *ret_size, guint64 *ret_used)
{
    const guint64 block = 512; /* the unit of st_blocks on every file system */
    struct stat st;
    bool found = stat(distro->disk, &st) == 0;
    *ret_size = found ? (guint64)st.st_size : distro->disk_size;
    *ret_used = found ? (guint64)st.st_blocks * block : 0;
}

static guint64 memory_used(guint pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%u/statm", pid);
    g_autofree char *text = NULL;
    guint64 resident = 0;
    if (pid == 0 || !g_file_get_contents(path, &text, NULL, NULL) ||
        sscanf(text, "%*u %" G_GUINT64_FORMAT, &resident) != 1)
        return 0;
    return resident * (guint64)sysconf(_SC_PAGE_SIZE);
}

/* Whether the keeper still listens; it may just have been killed. */
static bool still_listens(const BerthJob *job)
{
    berth_autofd int fd = berth_reach_connect(job->berth, job->distro, NULL);
    return fd >= 0;
}

/* Fill in a keeper of another protocol version, of which only the existence is known. */
static void fill_mismatch(BerthListing *listing, const BerthDistro *distro, const char *remark)
{
    g_autoptr(BerthDiskUser) user = berth_hold_find(distro->disk);
    listing->state = g_strdup("running");
    listing->reason = g_strdup(remark);
    if (user != NULL && berth_disk_user_keeps(user, distro->id))
        listing->keeper_pid = (guint)user->pid;
}

/* Leaves the state NULL if the keeper ends instead of answering, and may have a successor. */
static void fill_running(BerthListing *listing, const BerthJob *job, int fd)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(BerthInstanceStatus) status = berth_request_status(fd, &problem);
    if (berth_hello_is_mismatch(problem)) {
        fill_mismatch(listing, job->distro, problem->message);
        return;
    }
    if (status == NULL) {
        bool is_stuck = !berth_runtime_is_gone(problem) && still_listens(job);
        listing->state =
            g_strdup(is_stuck ? "unresponsive" : berth_reach_state_left(job->berth, job->distro));
        return;
    }
    listing->state = g_strdup(status->state);
    listing->reason = *status->reason != '\0' ? g_strdup(status->reason) : NULL;
    listing->keeper_pid = status->keeper_pid;
    listing->memory_used = memory_used(status->qemu_pid) + status->memory_kept;
    listing->status = g_steal_pointer(&status);
    listing->forwards = berth_request_ports(fd, NULL);
}

/* Fill in a distro without a listening keeper; its disk may still be in use. Leaves the state NULL
 * if it may have a keeper now. */
static void fill_unreached(BerthListing *listing, const BerthJob *job, bool kept)
{
    const BerthDistro *distro = job->distro;
    g_autoptr(BerthDiskUser) user = berth_hold_find(distro->disk);
    bool leaves = user != NULL && !kept && berth_disk_user_keeps(user, distro->id);
    if (user == NULL || leaves) {
        listing->state = g_strdup(berth_reach_state_left(job->berth, distro));
        return;
    }
    listing->state = g_strdup(kept ? "unresponsive" : berth_work_state(BERTH_WORK_OTHER));
    *(kept ? &listing->keeper_pid : &listing->holder_pid) = (guint)user->pid;
}

/* Replace the state if a command works on the distro, running or not. */
static void apply_holder(BerthListing *listing, const BerthClaimHolder *holder)
{
    if (holder == NULL || (holder->work == BERTH_WORK_CHECKPOINT && listing->state[0] != '\0'))
        return; /* a checkpoint is no work of a user's */
    listing->holder_pid = (guint)holder->pid;
    if (holder->work == BERTH_WORK_RUN && listing->state[0] != '\0')
        return; /* a throw-away clone, in its own state */
    g_free(listing->state);
    listing->state = g_strdup(berth_work_state(holder->work));
}

static const BerthClaimHolder *holder_of(const GPtrArray *holders, const char *id)
{
    for (guint i = 0; i < holders->len; i++)
        if (g_str_equal(((const BerthClaimHolder *)holders->pdata[i])->id, id))
            return holders->pdata[i];
    return NULL;
}

/* List what the registry and the disk say, without a state. */
static BerthListing *list_registered(const BerthDistro *distro)
{
    BerthListing *listing = g_new0(BerthListing, 1);
    listing->name = g_strdup(distro->name);
    listing->id = g_strdup(distro->id);
    listing->slot = distro->slot;
    listing->is_default = distro->is_default;
    listing->disk = g_strdup(distro->disk);
    berth_disk_measure(distro, &listing->disk_size, &listing->disk_used);
    listing->created_usec = distro->created_usec;
    listing->template = g_strdup(distro->template);
    return listing;
}

static BerthListing *list_stopped(const BerthDistro *distro, const char *state,
                                  const GPtrArray *holders)
{
    BerthListing *listing = list_registered(distro);
    listing->state = g_strdup(state);
    apply_holder(listing, holder_of(holders, distro->id));
    return listing;
}

static void fill(BerthListing *listing, const BerthJob *job)
{
    g_autoptr(GError) problem = NULL;
    berth_autofd int fd = berth_reach_connect(job->berth, job->distro, &problem);
    if (fd < 0) {
        fill_unreached(listing, job, berth_reach_is_unreachable(problem));
    } else {
        berth_reach_limit_waiting(fd, BERTH_REACH_ANSWER_SEC);
        fill_running(listing, job, fd);
    }
}

/* List a distro that may run, by asking its keeper. */
static gpointer ask(gpointer data)
{
    BerthJob *job = data;
    BerthListing *listing = list_registered(job->distro);
    job->result = listing;
    for (guint i = 0; i < BERTH_REACH_LOOKS_MAX && listing->state == NULL; i++)
        fill(listing, job);
    if (listing->state == NULL) /* else a killed keeper has left its files */
        listing->state = g_strdup(still_listens(job) ? "unresponsive" : "stopped");
    apply_holder(listing, holder_of(job->data, job->distro->id));
    return NULL;
}

static bool is_registered(const GPtrArray *distros, const char *id)
{
    for (guint i = 0; i < distros->len; i++)
        if (g_str_equal(((const BerthDistro *)distros->pdata[i])->id, id))
            return true;
    return false;
}

/* List a distro that is being imported and not registered yet. */
static BerthListing *list_unregistered(const BerthClaimHolder *holder)
{
    BerthListing *listing = g_new0(BerthListing, 1);
    listing->name = g_strdup(holder->name);
    listing->id = g_strdup(holder->id);
    listing->state = g_strdup("");
    apply_holder(listing, holder);
    return listing;
}

/* The state of each distro that has no keeper, NULL for the others. */
static GPtrArray *find_states(const Berth *berth, const GPtrArray *distros)
{
    GPtrArray *states = g_ptr_array_new();
    for (guint i = 0; i < distros->len; i++) {
        const BerthDistro *distro = distros->pdata[i];
        const char *state =
            berth_reach_may_run(berth, distro) ? NULL : berth_reach_state_left(berth, distro);
        g_ptr_array_add(states, (gpointer)state);
    }
    return states;
}

/* Only the distros that may run are asked, each by a thread of its own. */
static void add_registered(GPtrArray *listings, Berth *berth, const GPtrArray *distros,
                           const GPtrArray *holders)
{
    g_autoptr(GPtrArray) states = find_states(berth, distros);
    g_autoptr(GPtrArray) running = g_ptr_array_new();
    for (guint i = 0; i < distros->len; i++)
        if (states->pdata[i] == NULL)
            g_ptr_array_add(running, distros->pdata[i]);
    g_autoptr(GPtrArray) jobs = berth_handle_for_each(berth, running, ask, holders);
    for (guint i = 0, asked = 0; i < distros->len; i++) {
        const char *state = states->pdata[i];
        g_ptr_array_add(listings, state != NULL ? list_stopped(distros->pdata[i], state, holders)
                                                : ((BerthJob *)jobs->pdata[asked++])->result);
    }
}

static void add_autostart(const GPtrArray *listings, const BerthLayout *layout)
{
    for (guint i = 0; i < listings->len; i++) {
        BerthListing *listing = listings->pdata[i];
        listing->autostart = berth_autostart_is_on(layout, listing->name);
    }
}

static void add_snapshots(const GPtrArray *listings, GHashTable *used)
{
    for (guint i = 0; i < listings->len; i++) {
        BerthListing *listing = listings->pdata[i];
        const guint64 *bytes = g_hash_table_lookup(used, listing->id);
        listing->snapshots_used = bytes != NULL ? *bytes : 0;
    }
}

GPtrArray *berth_list_distros(Berth *berth, GError **error)
{
    BerthRegistry *registry = berth_handle_registry(berth, error);
    if (registry == NULL || berth_handle_runtime(berth, error) == NULL)
        return NULL;
    berth_throwaway_clean(berth);
    /* Read the claims first, so that an import that ends in between is found in the registry. */
    g_autoptr(GPtrArray) holders = berth_claim_list(berth->layout);
    g_autoptr(GPtrArray) distros = berth_registry_list(registry, error);
    g_autoptr(GHashTable) snapshots =
        distros != NULL ? berth_snapshots_measure(registry, distros, error) : NULL;
    if (snapshots == NULL)
        return NULL;

    GPtrArray *listings = g_ptr_array_new_with_free_func((GDestroyNotify)berth_listing_free);
    add_registered(listings, berth, distros, holders);
    for (guint i = 0; i < holders->len; i++)
        if (!is_registered(distros, ((const BerthClaimHolder *)holders->pdata[i])->id))
            g_ptr_array_add(listings, list_unregistered(holders->pdata[i]));
    add_autostart(listings, berth->layout);
    add_snapshots(listings, snapshots);
    return listings;
}
