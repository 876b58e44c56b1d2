/* SPDX-License-Identifier: MIT */
#include "distro_tree.h"

#include "files.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char *path_of(DistroTree *tree, const char *name)
{
    return g_build_filename(tree->path, name, NULL);
}

void distro_tree_set_up(DistroTree *tree, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    tree->path = g_dir_make_tmp("berth-tree-XXXXXX", &error);
    g_assert_no_error(error);
    tree->fd = open(tree->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    g_assert_cmpint(tree->fd, >=, 0);
}

void distro_tree_tear_down(DistroTree *tree, gconstpointer data)
{
    files_remove(tree->path);
    close(tree->fd);
    g_free(tree->path);
}

void distro_tree_put(DistroTree *tree, const char *name, const char *text, unsigned mode)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = path_of(tree, name);
    g_autofree char *parent = g_path_get_dirname(path);
    g_assert_cmpint(g_mkdir_with_parents(parent, 0755), ==, 0);
    g_file_set_contents(path, text, -1, &error);
    g_assert_no_error(error);
    g_assert_cmpint(chmod(path, mode), ==, 0);
}

char *distro_tree_get(DistroTree *tree, const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = path_of(tree, name);
    char *text = NULL;
    g_file_get_contents(path, &text, NULL, &error);
    g_assert_no_error(error);
    return text;
}

void distro_tree_assert_text(DistroTree *tree, const char *name, const char *wanted)
{
    g_autofree char *text = distro_tree_get(tree, name);
    g_assert_cmpstr(text, ==, wanted);
}

void distro_tree_link(DistroTree *tree, const char *name, const char *target)
{
    g_autofree char *path = path_of(tree, name);
    g_autofree char *parent = g_path_get_dirname(path);
    g_assert_cmpint(g_mkdir_with_parents(parent, 0755), ==, 0);
    g_assert_cmpint(symlink(target, path), ==, 0);
}

unsigned distro_tree_mode(DistroTree *tree, const char *name)
{
    g_autofree char *path = path_of(tree, name);
    struct stat info;
    return lstat(path, &info) == 0 ? info.st_mode : 0;
}

char *distro_tree_list(DistroTree *tree, const char *name)
{
    g_autofree char *path = path_of(tree, name);
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
    GString *list = g_string_new(NULL);
    GList *names = NULL;
    const char *entry;
    g_assert_nonnull(directory);
    while ((entry = g_dir_read_name(directory)) != NULL)
        names = g_list_insert_sorted(names, g_strdup(entry), (GCompareFunc)g_strcmp0);
    for (GList *item = names; item != NULL; item = item->next)
        g_string_append_printf(list, "%s ", (char *)item->data);
    g_list_free_full(names, g_free);
    return g_string_free(list, FALSE);
}
