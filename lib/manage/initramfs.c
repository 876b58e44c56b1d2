/* SPDX-License-Identifier: MIT */
#include "initramfs.h"

#include "base/error.h"

#include <string.h>
#include <sys/stat.h>

#define ALIGNMENT 4    /* of each entry, and of concatenated archives */
#define PAGE      4096 /* the total size is a multiple: leaves the last page of memory free */

static void pad(GString *archive, gsize alignment)
{
    while (archive->len % alignment != 0)
        g_string_append_c(archive, '\0');
}

/* One entry of the newc format. Source: the kernel's
 * Documentation/driver-api/early-userspace/buffer-format.rst. */
static void add_entry(GString *archive, const char *name, guint mode, const char *data, gsize size)
{
    guint inode = (guint)archive->len; /* only has to be unique */
    g_string_append_printf(archive, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
                           inode, mode, 0u, 0u, 1u, 0u, (guint)size, 0u, 0u, 0u, 0u,
                           (guint)strlen(name) + 1, 0u);
    g_string_append_len(archive, name, (gssize)strlen(name) + 1);
    pad(archive, ALIGNMENT);
    if (size > 0)
        g_string_append_len(archive, data, (gssize)size);
    pad(archive, ALIGNMENT);
}

bool berth_initramfs_write(const BerthLayout *layout, const BerthInitramfsFile *file,
                           const char *path, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *initramfs = berth_layout_initramfs(layout);
    g_autofree char *own = NULL;
    gsize own_size = 0;
    if (!g_file_get_contents(initramfs, &own, &own_size, &problem)) {
        berth_error_set(error, BERTH_ERROR_FAILED, "initramfs.read", NULL, "%s", problem->message);
        return false;
    }
    g_autoptr(GString) archive = g_string_new_len(own, (gssize)own_size);
    g_autofree char *name = g_build_filename(file->directory, file->name, NULL);
    pad(archive, ALIGNMENT);
    add_entry(archive, file->directory, S_IFDIR | file->directory_mode, NULL, 0);
    add_entry(archive, name, S_IFREG | file->mode, file->data, file->size);
    add_entry(archive, "TRAILER!!!", 0, NULL, 0);
    pad(archive, PAGE);
    if (g_file_set_contents_full(path, archive->str, (gssize)archive->len,
                                 G_FILE_SET_CONTENTS_CONSISTENT, 0600, &problem))
        return true;
    berth_error_set(error, BERTH_ERROR_FAILED, "initramfs.write", NULL, "%s", problem->message);
    return false;
}
