/* SPDX-License-Identifier: MIT */
#include "stage_private.h"

#include "overlay_private.h"

#include "base/error.h"
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FILE_COST     (16u << 10) /* of making one without contents, as bytes copied */
#define TICK_MAX_USEC 100000      /* longer than any kernel's */

typedef struct {
    char *seen;   /* the state of the files when they were looked at; NULL: not known */
    char *copied; /* of which the copy is; NULL: there is none */
    char name[OVERLAY_LOWER_NAME_SIZE]; /* of the copy */
} Entry;

struct BerthOverlayStage {
    BerthOverlay *overlay;
    int directory;                      /* of the copies, or -1 */
    char name[OVERLAY_LOWER_NAME_SIZE]; /* of that in the lower directory */
    GHashTable *entries;                /* path -> Entry */
};

static void entry_free(Entry *entry)
{
    g_free(entry->seen);
    g_free(entry->copied);
    g_free(entry);
}

BerthOverlayStage *berth_overlay_stage_new(BerthOverlay *overlay)
{
    BerthOverlayStage *stage = g_new0(BerthOverlayStage, 1);
    stage->overlay = overlay;
    stage->directory = -1;
    stage->entries =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)entry_free);
    return stage;
}

void berth_overlay_stage_free(BerthOverlayStage *stage)
{
    if (stage == NULL)
        return;
    if (stage->directory >= 0)
        overlay_remove_all(stage->overlay->lower, stage->name);
    berth_fd_close(&stage->directory);
    g_hash_table_unref(stage->entries);
    g_free(stage);
}

int overlay_stage_directory(const BerthOverlayStage *stage)
{
    return stage->directory;
}

static bool is_current(const Entry *entry)
{
    return entry != NULL && entry->seen != NULL && g_strcmp0(entry->seen, entry->copied) == 0;
}

const char *overlay_stage_find(const BerthOverlayStage *stage, const char *path)
{
    const Entry *entry = g_hash_table_lookup(stage->entries, path);
    return is_current(entry) ? entry->name : NULL;
}

/* ---- looking ---- */

/* The state of the files of a change. */
typedef struct {
    GChecksum *sum;
    guint64 cost;
    struct timespec latest; /* ctime */
} State;

static bool is_later(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

static void add_file(State *state, const char *name, const struct stat *info)
{
    const guint64 numbers[] = {info->st_dev,
                               info->st_ino,
                               info->st_mode,
                               (guint64)info->st_size,
                               (guint64)info->st_mtim.tv_sec,
                               (guint64)info->st_mtim.tv_nsec,
                               (guint64)info->st_ctim.tv_sec,
                               (guint64)info->st_ctim.tv_nsec};
    g_checksum_update(state->sum, (const guchar *)name, (gssize)strlen(name) + 1);
    g_checksum_update(state->sum, (const guchar *)numbers, sizeof(numbers));
    state->cost += FILE_COST + (S_ISREG(info->st_mode) ? (guint64)info->st_blocks * 512 : 0);
    if (is_later(&info->st_ctim, &state->latest))
        state->latest = info->st_ctim;
}

static int add_tree(State *state, int file, const char *name);

/* Add what is in directory @file (O_PATH). */
static int add_entries(State *state, int file)
{
    int opened = berth_fd_reopen(file, O_RDONLY | O_DIRECTORY);
    DIR *listing = opened < 0 ? NULL : fdopendir(opened);
    if (listing == NULL) {
        int problem = opened < 0 ? opened : -errno;
        berth_fd_close(&opened);
        return problem;
    }
    int result = 0;
    for (struct dirent *found; result == 0 && (found = readdir(listing)) != NULL;) {
        if (g_str_equal(found->d_name, ".") || g_str_equal(found->d_name, ".."))
            continue;
        berth_autofd int child = openat(file, found->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        result = child < 0 ? -errno : add_tree(state, child, found->d_name);
    }
    closedir(listing);
    g_checksum_update(state->sum, (const guchar *)"", 1); /* the end of the directory */
    return result;
}

/* Add the file @file (O_PATH), called @name, with all below it. */
static int add_tree(State *state, int file, const char *name)
{
    struct stat info;
    if (fstat(file, &info) < 0)
        return -errno;
    add_file(state, name, &info);
    return S_ISDIR(info.st_mode) ? add_entries(state, file) : 0;
}

/* Wait until the clock that files get their times from has passed @time. False: it is not going to,
 * since the time is of another clock. */
static bool await_tick(const struct timespec *time)
{
    gint64 end = g_get_monotonic_time() + TICK_MAX_USEC;
    struct timespec now;
    while (clock_gettime(CLOCK_REALTIME_COARSE, &now) == 0 && !is_later(&now, time)) {
        if (g_get_monotonic_time() > end)
            return false;
        sched_yield();
    }
    return true;
}

static Entry *get_entry(BerthOverlayStage *stage, const char *path)
{
    Entry *entry = g_hash_table_lookup(stage->entries, path);
    if (entry == NULL) {
        entry = g_new0(Entry, 1);
        g_hash_table_insert(stage->entries, g_strdup(path), entry);
    }
    return entry;
}

/* Look at one change; returns what accepting it would copy. */
static guint64 look(BerthOverlayStage *stage, const BerthOverlayChange *change,
                    struct timespec *latest)
{
    g_auto(BerthOverlayPlace) place = {-1, -1, false};
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    State state = {.sum = sum};
    Entry *entry = get_entry(stage, change->path);
    g_clear_pointer(&entry->seen, g_free);
    if (berth_overlay_find(stage->overlay, change->path, &place) < 0 || place.upper < 0 ||
        add_tree(&state, place.upper, "") < 0)
        return 0;
    entry->seen = g_strdup(g_checksum_get_string(sum));
    if (is_later(&state.latest, latest))
        *latest = state.latest;
    return is_current(entry) ? 0 : state.cost;
}

static bool is_copied(const BerthOverlayChange *change)
{
    return change->kind == BERTH_CHANGE_ADDED || change->kind == BERTH_CHANGE_MODIFIED;
}

/* Of those that have no copy nothing is known. */
static void forget_others(BerthOverlayStage *stage)
{
    GHashTableIter iter;
    gpointer entry;
    g_hash_table_iter_init(&iter, stage->entries);
    while (g_hash_table_iter_next(&iter, NULL, &entry))
        if (!is_current(entry))
            g_clear_pointer(&((Entry *)entry)->seen, g_free);
}

guint64 berth_overlay_stage_look(BerthOverlayStage *stage, const GPtrArray *changes)
{
    guint64 cost = 0;
    struct timespec latest = {0};
    GHashTableIter iter;
    gpointer entry;
    g_hash_table_iter_init(&iter, stage->entries);
    while (g_hash_table_iter_next(&iter, NULL, &entry))
        g_clear_pointer(&((Entry *)entry)->seen, g_free);
    for (guint i = 0; i < changes->len; i++)
        if (is_copied(changes->pdata[i]))
            cost += look(stage, changes->pdata[i], &latest);
    if (!await_tick(&latest))
        forget_others(stage);
    return cost;
}

/* ---- copying ---- */

/* Make the directory of the copies; one that cannot be made is no error. */
static void make_directory(BerthOverlayStage *stage)
{
    overlay_lower_name(stage->overlay, stage->name);
    if (mkdirat(stage->overlay->lower, stage->name, 0700) < 0)
        return;
    stage->directory =
        openat(stage->overlay->lower, stage->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (stage->directory < 0)
        unlinkat(stage->overlay->lower, stage->name, AT_REMOVEDIR);
}

/* Whether a copy failed since its files were changed meanwhile. */
static bool is_other_now(int result)
{
    return result == -EAGAIN || result == -ENOENT || result == -ENOTDIR || result == -ESTALE;
}

static int copy(BerthOverlayStage *stage, const char *path, Entry *entry)
{
    g_auto(BerthOverlayPlace) place = {-1, -1, false};
    if (entry->copied != NULL)
        overlay_remove_all(stage->directory, entry->name);
    g_clear_pointer(&entry->copied, g_free);
    overlay_lower_name(stage->overlay, entry->name);
    int result = berth_overlay_find(stage->overlay, path, &place);
    if (result == 0)
        result = place.upper >= 0 ? overlay_copy_tree(place.upper, stage->directory, entry->name)
                                  : -ENOENT;
    if (result == 0)
        entry->copied = g_strdup(entry->seen);
    else
        overlay_remove_all(stage->directory, entry->name);
    return is_other_now(result) ? 0 : result;
}

bool berth_overlay_stage_copy(BerthOverlayStage *stage, GError **error)
{
    GHashTableIter iter;
    gpointer path, entry;
    if (stage->directory < 0)
        make_directory(stage);
    g_hash_table_iter_init(&iter, stage->entries);
    while (stage->directory >= 0 && g_hash_table_iter_next(&iter, &path, &entry)) {
        int result =
            ((Entry *)entry)->seen == NULL || is_current(entry) ? 0 : copy(stage, path, entry);
        if (result < 0) {
            berth_error_set_errno(error, -result, "overlay.accept", "%s", (const char *)path);
            return false;
        }
    }
    return true;
}
