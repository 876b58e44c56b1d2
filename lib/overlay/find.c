/* SPDX-License-Identifier: MIT
 *
 * Finds the file that an overlay shows at a path.
 */
#include "overlay_private.h"
#include "review.h"

#include "base/fd.h"
#include "beneath.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

char *overlay_split(const char *path, const char **ret_name)
{
    const char *slash = strrchr(path, '/');
    *ret_name = slash != NULL ? slash + 1 : path;
    return g_strndup(path, slash != NULL ? (gsize)(slash - path) : 0);
}

void berth_overlay_place_clear(BerthOverlayPlace *place)
{
    berth_fd_close(&place->upper);
    berth_fd_close(&place->lower);
}

static bool is_directory(int fd)
{
    struct stat info;
    return fd >= 0 && fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
}

/* Go on from the directory @place, at @parent, to its entry @name: the upper file, and whether a
 * lower one counts. */
static int step(const BerthOverlay *overlay, const char *parent, const char *name,
                BerthOverlayPlace *place)
{
    OverlayRecord record = {OVERLAY_NONE};
    if (place->merged)
        record = overlay_record_read(overlay, parent, name);
    int next = place->upper >= 0 ? berth_beneath_open(place->upper, name) : -ENOENT;
    berth_fd_close(&place->upper);
    if (next < 0 && next != -ENOENT)
        return next;
    if (next >= 0) {
        place->upper = next;
        place->merged = record.kind == OVERLAY_MERGE && is_directory(next);
        return 0;
    }
    return place->merged && record.kind != OVERLAY_HIDE ? 0 : -ENOENT;
}

/* Whether the lower file at @path is a copy in the making, or in one. */
static bool is_accepting(const char *path)
{
    return g_str_has_prefix(path, BERTH_OVERLAY_ACCEPTING) ||
           strstr(path, "/" BERTH_OVERLAY_ACCEPTING) != NULL;
}

/* Add the lower file at @path to @place. */
static int find_lower(const BerthOverlay *overlay, const char *path, BerthOverlayPlace *place)
{
    int lower = is_accepting(path) ? -ENOENT
                                   : berth_beneath_open(overlay->lower, *path != '\0' ? path : ".");
    if (lower >= 0 && place->upper >= 0 && !is_directory(lower))
        berth_fd_close(&lower); /* the host has put a file in place of a directory */
    if (lower < 0 && place->upper < 0)
        return lower;
    place->lower = lower < 0 ? -1 : lower;
    return 0;
}

bool berth_overlay_hides(BerthOverlay *overlay, const char *path)
{
    const char *name;
    g_auto(BerthOverlayPlace) parent = {-1, -1, false};
    g_autofree char *parent_path = overlay_split(path, &name);
    if (berth_overlay_find(overlay, parent_path, &parent) < 0 || !parent.merged)
        return true;
    OverlayRecord record = overlay_record_read(overlay, parent_path, name);
    if (record.kind == OVERLAY_HIDE)
        return true;
    berth_autofd int upper = parent.upper >= 0 ? berth_beneath_open(parent.upper, name) : -1;
    return upper >= 0 && record.kind != OVERLAY_MERGE;
}

int berth_overlay_find(BerthOverlay *overlay, const char *path, BerthOverlayPlace *ret_place)
{
    g_auto(BerthOverlayPlace)
        place = {.upper = berth_beneath_open(overlay->upper, "."), .lower = -1, .merged = true};
    *ret_place = (BerthOverlayPlace){-1, -1, false};
    if (place.upper < 0)
        return place.upper;
    g_autoptr(GString) parent = g_string_new(NULL);
    for (const char *at = path; *at != '\0';) {
        gsize length = strcspn(at, "/");
        g_autofree char *name = g_strndup(at, length);
        int result = step(overlay, parent->str, name, &place);
        if (result < 0)
            return result;
        if (place.upper < 0)
            break; /* all that follows is in the lower directory */
        if (parent->len > 0)
            g_string_append_c(parent, '/');
        g_string_append(parent, name);
        at += length + (at[length] == '/');
    }
    int result = place.merged ? find_lower(overlay, path, &place) : 0;
    if (result < 0)
        return result;
    *ret_place = place;
    place = (BerthOverlayPlace){-1, -1, false};
    return 0;
}

/* ---- listing ---- */

static void entry_free(BerthOverlayEntry *entry)
{
    g_free(entry->name);
    g_free(entry);
}

/* Add the entries of directory @fd (O_PATH) that @skip has not, and add them to @skip. */
static int add_entries(int fd, bool is_lower, GHashTable *skip, GPtrArray *entries)
{
    int opened = berth_fd_reopen(fd, O_RDONLY | O_DIRECTORY);
    DIR *listing = opened < 0 ? NULL : fdopendir(opened);
    if (listing == NULL)
        return opened < 0 ? opened : -errno;
    for (struct dirent *found; (found = readdir(listing)) != NULL;) {
        if (g_hash_table_contains(skip, found->d_name) || (is_lower && is_accepting(found->d_name)))
            continue;
        BerthOverlayEntry *entry = g_new(BerthOverlayEntry, 1);
        *entry = (BerthOverlayEntry){g_strdup(found->d_name), found->d_type, found->d_ino};
        g_ptr_array_add(entries, entry);
        g_hash_table_add(skip, g_strdup(found->d_name));
    }
    closedir(listing);
    return 0;
}

/* Add the hidden names of directory @path to @skip. */
static void skip_hidden(const BerthOverlay *overlay, const char *path, GHashTable *skip)
{
    g_autoptr(GHashTable) records = overlay_record_names(overlay, path);
    GHashTableIter iter;
    gpointer name, kind;
    g_hash_table_iter_init(&iter, records);
    while (g_hash_table_iter_next(&iter, &name, &kind))
        if (GPOINTER_TO_INT(kind) == OVERLAY_HIDE)
            g_hash_table_add(skip, g_strdup(name));
}

GPtrArray *berth_overlay_list(BerthOverlay *overlay, const char *path)
{
    g_auto(BerthOverlayPlace) place = {-1, -1, false};
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func((GDestroyNotify)entry_free);
    int result = berth_overlay_find(overlay, path, &place);
    if (result == 0 && place.upper >= 0)
        result = add_entries(place.upper, false, seen, entries);
    if (result == 0 && place.lower >= 0) {
        skip_hidden(overlay, path, seen);
        result = add_entries(place.lower, true, seen, entries);
    }
    if (result == 0)
        return g_steal_pointer(&entries);
    errno = -result;
    return NULL;
}
