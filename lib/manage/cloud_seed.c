/* SPDX-License-Identifier: MIT */
#include "cloud_seed.h"

#include "base/error.h"
#include "base/fd.h"
#include "initramfs.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define SIZE_MAX_BYTES (1 << 20)
#define DIGITS         16 /* of the instance id */

/* Read up to @size bytes from @fd to its end. Returns their number, or -1 with errno. */
static gssize read_all(int fd, guint8 *buffer, gsize size)
{
    gsize used = 0;
    while (used < size) {
        ssize_t got = read(fd, buffer + used, size - used);
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            return -1;
        used += (gsize)MAX(got, 0);
    }
    return (gssize)used;
}

GBytes *berth_cloud_seed_read(const char *path, GError **error)
{
    g_autofree guint8 *buffer = g_malloc(SIZE_MAX_BYTES + 1);
    berth_autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    gssize size = fd >= 0 ? read_all(fd, buffer, SIZE_MAX_BYTES + 1) : -1;
    if (size < 0) {
        berth_error_set_errno(error, errno, "user-data.read", "%s", path);
        return NULL;
    }
    if (size > SIZE_MAX_BYTES) {
        berth_error_set(error, BERTH_ERROR_INVALID, "user-data.size",
                        "make it smaller: let it fetch large files",
                        "%s: more than 1 MiB of user-data", path);
        return NULL;
    }
    if (size == 0) {
        berth_error_set(error, BERTH_ERROR_INVALID, "user-data.empty",
                        "give a file that begins with #cloud-config, or a script",
                        "%s: the user-data is empty", path);
        return NULL;
    }
    return g_bytes_new(buffer, (gsize)size);
}

bool berth_cloud_seed_keep(const BerthLayout *layout, const char *id, GBytes *data, GError **error)
{
    if (data == NULL)
        return true;
    g_autoptr(GError) problem = NULL;
    g_autofree char *directory = berth_layout_distro(layout, id);
    g_autofree char *path = berth_layout_user_data(layout, id);
    gsize size = 0;
    const char *text = g_bytes_get_data(data, &size);
    if (!berth_layout_make(directory, error))
        return false;
    if (g_file_set_contents_full(path, text, (gssize)size,
                                 G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600,
                                 &problem))
        return true;
    berth_error_set(error, BERTH_ERROR_FAILED, "user-data.write", NULL, "%s", problem->message);
    return false;
}

/* The user-data kept for @id; NULL without @error: none. */
static GBytes *find_kept(const BerthLayout *layout, const char *id, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *path = berth_layout_user_data(layout, id);
    char *text = NULL;
    gsize size = 0;
    if (g_file_get_contents(path, &text, &size, &problem))
        return g_bytes_new_take(text, size);
    if (!g_error_matches(problem, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        berth_error_set(error, BERTH_ERROR_FAILED, "user-data.kept", NULL, "%s", problem->message);
    return NULL;
}

bool berth_cloud_seed_copy(const BerthLayout *layout, const char *source, const char *id,
                           GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(GBytes) data = find_kept(layout, source, &problem);
    if (problem == NULL)
        return berth_cloud_seed_keep(layout, id, data, error);
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

/* An instance id derived from the data, so that a clone's cloud-init, which has run on its disk
 * with the same data, does not run again. */
static char *name_instance(GBytes *data)
{
    g_autofree char *digest = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, data);
    return g_strdup_printf("berth-%.*s", DIGITS, digest);
}

bool berth_cloud_seed_plan(const BerthLayout *layout, const char *runtime, BerthMachine *machine,
                           GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(GBytes) data = find_kept(layout, machine->id, &problem);
    if (problem != NULL) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    if (data == NULL)
        return true;
    g_free(machine->initramfs);
    machine->initramfs = g_build_filename(runtime, machine->id, BERTH_CLOUD_INITRAMFS, NULL);
    machine->cloud = name_instance(data);
    return true;
}

bool berth_cloud_seed_write(const BerthLayout *layout, const BerthMachine *machine, GError **error)
{
    if (machine->cloud == NULL)
        return true;
    g_autoptr(GError) problem = NULL;
    g_autoptr(GBytes) data = find_kept(layout, machine->id, &problem);
    if (data == NULL && problem == NULL)
        berth_error_set(&problem, BERTH_ERROR_FAILED, "user-data.kept", NULL,
                        "the saved copy is missing");
    if (problem != NULL) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    BerthInitramfsFile file = {
        .directory = "cloud", .directory_mode = 0700, .name = "user-data", .mode = 0600};
    file.data = g_bytes_get_data(data, &file.size);
    g_autofree char *directory = g_path_get_dirname(machine->initramfs);
    return berth_layout_make(directory, error) &&
           berth_initramfs_write(layout, &file, machine->initramfs, error);
}
