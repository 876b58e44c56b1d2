/* SPDX-License-Identifier: MIT */
#include "export_image.h"

#include "copy.h"
#include "output.h"

#include "base/error.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_SIZE            (1U << 20)
#define PROGRESS_INTERVAL_USEC 100000

typedef struct {
    BerthOutput output;
    BerthProgressFunc report;
    gpointer user_data;
    gint64 reported_usec;
} Stream;

/* Whether @image has data at @offset, and where that data or hole ends. */
static bool next_extent(int image, off_t size, off_t offset, off_t *ret_end)
{
    off_t data = lseek(image, offset, SEEK_DATA);
    bool is_data = data == offset || (data < 0 && errno != ENXIO);
    off_t end = is_data ? lseek(image, offset, SEEK_HOLE) : data;
    *ret_end = end > offset && end <= size ? end : size;
    return is_data;
}

static bool read_image(int image, off_t offset, guint8 *buffer, gsize size, GError **error)
{
    while (size > 0) {
        ssize_t got = pread(image, buffer, size, offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            berth_error_set_errno(error, got < 0 ? errno : EIO, "export.read", "read the image");
            return false;
        }
        buffer += got;
        offset += got;
        size -= (gsize)got;
    }
    return true;
}

static bool report(Stream *stream, const BerthProgress *progress, GError **error)
{
    gint64 usec = g_get_monotonic_time();
    if (stream->report == NULL || usec - stream->reported_usec < PROGRESS_INTERVAL_USEC)
        return true;
    stream->reported_usec = usec;
    if (stream->report(progress, stream->user_data))
        return true;
    berth_error_set(error, BERTH_ERROR_CANCELLED, "export.cancelled", NULL, "cancelled");
    return false;
}

/* Write the whole image to a stream, holes as zeros. */
static bool stream_image(Stream *stream, int image, off_t size, GError **error)
{
    g_autofree guint8 *buffer = g_malloc(BUFFER_SIZE);
    BerthProgress progress = {.bytes_total = (guint64)size};
    off_t end = 0;
    bool data = false;
    for (off_t offset = 0; offset < size;) {
        if (offset == end)
            data = next_extent(image, size, offset, &end);
        gsize part = (gsize)MIN(end - offset, (off_t)BUFFER_SIZE);
        if (!data)
            memset(buffer, 0, part);
        else if (!read_image(image, offset, buffer, part, error))
            return false;
        if (!berth_output_write(&stream->output, buffer, part, error))
            return false;
        offset += (off_t)part;
        progress.bytes_done = (guint64)offset;
        if (!report(stream, &progress, error))
            return false;
    }
    return true;
}

bool berth_export_image(int image, int output, BerthProgressFunc progress, gpointer user_data,
                        guint64 *ret_bytes, GError **error)
{
    struct stat from, to;
    if (fstat(image, &from) < 0 || fstat(output, &to) < 0) {
        berth_error_set_errno(error, errno, "export.read", "read the image");
        return false;
    }
    if (S_ISREG(to.st_mode) && to.st_size == 0) {
        BerthCopyReport copied = {0};
        if (!berth_copy(image, output, "export", "the image", progress, user_data, &copied, error))
            return false;
        *ret_bytes = copied.bytes;
        return true;
    }
    Stream stream = {.output = {.fd = output}, .report = progress, .user_data = user_data};
    if (!stream_image(&stream, image, from.st_size, error))
        return false;
    *ret_bytes = stream.output.written;
    return true;
}
