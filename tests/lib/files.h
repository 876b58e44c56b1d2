/* SPDX-License-Identifier: MIT
 *
 * files — helpers for temporary files of tests.
 */
#pragma once

#include <glib.h>
#include <glib/gstdio.h>

static inline void files_write(const char *path, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_file_set_contents(path, text, -1, &error);
    g_assert_no_error(error);
}

/* Make the file @name in @directory, containing its name. Free the path with g_free. */
static inline char *files_make(const char *directory, const char *name)
{
    char *path = g_build_filename(directory, name, NULL);
    files_write(path, name);
    return path;
}

/* Make the shell script @name in @directory. Free the path with g_free. */
static inline char *files_make_script(const char *directory, const char *name, const char *text)
{
    char *path = g_build_filename(directory, name, NULL);
    files_write(path, text);
    g_assert_cmpint(g_chmod(path, 0755), ==, 0);
    return path;
}

/* Remove @path recursively. */
static inline void files_remove(const char *path)
{
    g_autoptr(GDir) directory =
        g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
    const char *name;
    while (directory != NULL && (name = g_dir_read_name(directory)) != NULL) {
        g_autofree char *below = g_build_filename(path, name, NULL);
        files_remove(below);
    }
    g_remove(path);
}
