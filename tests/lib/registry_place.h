/* SPDX-License-Identifier: MIT
 *
 * registry_place — a registry in a directory of its own, as a fixture of GLib's tests.
 */
#pragma once

#include "store/registry.h"

#include <glib/gstdio.h>

typedef struct {
    char *directory;
    char *path;
} Place;

static inline void set_up(Place *place, gconstpointer data)
{
    place->directory = g_dir_make_tmp("berth-registry-XXXXXX", NULL);
    g_assert_nonnull(place->directory);
    place->path = g_build_filename(place->directory, "registry.db", NULL);
}

static inline void tear_down(Place *place, gconstpointer data)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    for (gsize i = 0; i < G_N_ELEMENTS(suffixes); i++) {
        g_autofree char *file = g_strconcat(place->path, suffixes[i], NULL);
        g_unlink(file);
    }
    g_assert_cmpint(g_rmdir(place->directory), ==, 0);
    g_free(place->directory);
    g_free(place->path);
}

static inline BerthRegistry *open_registry(const Place *place)
{
    g_autoptr(GError) error = NULL;
    BerthRegistry *registry = berth_registry_open(place->path, &error);
    g_assert_no_error(error);
    g_assert_nonnull(registry);
    return registry;
}

static inline void insert(BerthRegistry *registry, const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(BerthDistro) distro = berth_distro_new(name);
    distro->disk = g_strdup_printf("/disks/%s", name);
    distro->disk_size = G_GUINT64_CONSTANT(1) << 40;
    g_assert_true(berth_registry_insert(registry, distro, &error));
    g_assert_no_error(error);
}
