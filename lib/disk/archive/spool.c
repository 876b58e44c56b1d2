/* SPDX-License-Identifier: MIT */
#include "spool.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/size.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMORY_MAX (G_GUINT64_CONSTANT(64) << 20)
#define PIECE      (64U << 10)

struct BerthSpool {
    int fd;
    int own; /* -1: the caller's file is used */
    guint64 max;
    guint64 size;
    bool whole;
};

static bool fail(GError **error, int errnum)
{
    berth_error_set_errno(error, errnum, "import.spool", "spool the unpacked archive");
    return false;
}

BerthSpool *berth_spool_new(int fd, guint64 max, GError **error)
{
    BerthSpool *spool = g_new0(BerthSpool, 1);
    *spool = (BerthSpool){.fd = fd, .own = -1, .max = max};
    if (fd >= 0)
        return spool;
    spool->fd = spool->own = memfd_create("spool", MFD_CLOEXEC);
    spool->max = MIN(max, MEMORY_MAX);
    if (spool->fd >= 0)
        return spool;
    fail(error, errno);
    berth_spool_free(spool);
    return NULL;
}

void berth_spool_free(BerthSpool *spool)
{
    if (spool == NULL)
        return;
    berth_fd_close(&spool->own);
    g_free(spool);
}

static bool is_zero(const guint8 *data, gsize size)
{
    return size > 0 && data[0] == 0 && memcmp(data, data + 1, size - 1) == 0;
}

static bool write_at(const BerthSpool *spool, const guint8 *data, gsize size, guint64 offset,
                     GError **error)
{
    while (size > 0) {
        ssize_t written = pwrite(spool->fd, data, size, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return fail(error, written < 0 ? errno : ENOSPC);
        data += written;
        size -= (gsize)written;
        offset += (guint64)written;
    }
    return true;
}

bool berth_spool_append(BerthSpool *spool, const guint8 *data, gsize size, GError **error)
{
    spool->whole = size == 0;
    if (spool->whole)
        return ftruncate(spool->fd, (off_t)spool->size) == 0 || fail(error, errno);
    if (size > spool->max - spool->size) {
        g_autofree char *max = berth_size_format(spool->max);
        berth_error_set(error, BERTH_ERROR_NO_SPACE, "import.spool.too-large",
                        "decompress the archive, then import the decompressed file",
                        "the decompressed archive is larger than %s", max);
        return false;
    }
    for (gsize done = 0; done < size; done += PIECE) {
        gsize piece = MIN(size - done, PIECE);
        if (!is_zero(data + done, piece) &&
            !write_at(spool, data + done, piece, spool->size + done, error))
            return false;
    }
    spool->size += size;
    return true;
}

bool berth_spool_is_whole(const BerthSpool *spool)
{
    return spool->whole;
}

int berth_spool_fd(const BerthSpool *spool)
{
    return spool->fd;
}

guint64 berth_spool_size(const BerthSpool *spool)
{
    return spool->size;
}
