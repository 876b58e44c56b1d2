/* SPDX-License-Identifier: MIT */
#include "sparse_copy.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The part of @fd from @begin to @end; NULL if it cannot be read. */
static GVariant *read_part(int fd, off_t begin, off_t end)
{
    gsize size = (gsize)(end - begin);
    g_autofree guint8 *bytes = g_try_malloc(size);
    if (bytes == NULL || pread(fd, bytes, size, begin) != (ssize_t)size)
        return NULL;
    GVariant *array =
        g_variant_new_from_data(G_VARIANT_TYPE_BYTESTRING, bytes, size, TRUE, g_free, bytes);
    g_steal_pointer(&bytes);
    return g_variant_new("(t@ay)", (guint64)begin, array);
}

GVariant *berth_sparse_copy_save(int fd, guint64 limit)
{
    g_auto(GVariantBuilder) parts;
    struct stat st;
    guint64 total = 0;
    off_t end = 0, begin;
    g_variant_builder_init(&parts, G_VARIANT_TYPE("a(tay)"));
    if (fstat(fd, &st) < 0)
        return NULL;
    while ((begin = lseek(fd, end, SEEK_DATA)) >= 0 && (end = lseek(fd, begin, SEEK_HOLE)) >= 0) {
        total += (guint64)(end - begin);
        GVariant *part = total <= limit ? read_part(fd, begin, end) : NULL;
        if (part == NULL)
            return NULL;
        g_variant_builder_add_value(&parts, part);
    }
    if (errno != ENXIO) /* there is no further data */
        return NULL;
    return g_variant_new("(ta(tay))", (guint64)st.st_size, &parts);
}

static bool write_parts(int fd, GVariantIter *parts, guint64 size)
{
    guint64 at;
    GVariant *bytes = NULL;
    while (g_variant_iter_loop(parts, "(t@ay)", &at, &bytes)) {
        gsize length = g_variant_get_size(bytes);
        if (at > size || length > size - at ||
            pwrite(fd, g_variant_get_data(bytes), length, (off_t)at) != (ssize_t)length) {
            g_variant_unref(bytes);
            return false;
        }
    }
    return true;
}

int berth_sparse_copy_load(GVariant *copy, const char *name, guint64 limit)
{
    guint64 size;
    g_autoptr(GVariantIter) parts = NULL;
    if (!g_variant_is_of_type(copy, G_VARIANT_TYPE(BERTH_SPARSE_COPY_TYPE)))
        return -1;
    g_variant_get(copy, BERTH_SPARSE_COPY_TYPE, &size, &parts);
    berth_autofd int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || size > limit || ftruncate(fd, (off_t)size) < 0 || !write_parts(fd, parts, size) ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return -1;
    return berth_fd_steal(&fd);
}
