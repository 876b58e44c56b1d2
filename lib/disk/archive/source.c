/* SPDX-License-Identifier: MIT */
#include "source.h"

#include "base/error.h"
#include "disk/file/growth.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_SIZE (256U << 10)
#define PEEK_LIMIT  (64U << 10)

struct BerthSource {
    int fd;
    int cancel_fd;
    bool is_file; /* never waits, so it need not be polled */
    bool is_range;
    guint64 range_at;
    guint64 range_left;
    BerthGrowth *growth; /* of the file; NULL: it is complete */
    BerthSourceTap tap;
    gpointer tap_data;

    guint8 *buffer;
    gsize start;
    gsize end;
    bool at_end;
    _Atomic guint64 position;
};

BerthSource *berth_source_new(int fd)
{
    struct stat status;
    BerthSource *source = g_new0(BerthSource, 1);
    source->fd = fd;
    source->cancel_fd = -1;
    source->is_file = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    if (source->is_file)
        posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    source->buffer = g_malloc(BUFFER_SIZE);
    return source;
}

BerthSource *berth_source_new_range(int fd, guint64 offset, guint64 length)
{
    BerthSource *source = berth_source_new(fd);
    source->is_range = true;
    source->range_at = offset;
    source->range_left = length;
    return source;
}

void berth_source_set_growth(BerthSource *source, BerthGrowth *growth)
{
    source->growth = growth;
    source->is_file = source->is_file && growth == NULL;
}

void berth_source_free(BerthSource *source)
{
    if (source == NULL)
        return;
    g_free(source->buffer);
    g_free(source);
}

void berth_source_set_tap(BerthSource *source, BerthSourceTap tap, gpointer user_data)
{
    source->tap = tap;
    source->tap_data = user_data;
}

bool berth_source_is_tapped(const BerthSource *source)
{
    return source->tap != NULL;
}

void berth_source_set_cancel(BerthSource *source, int fd)
{
    source->cancel_fd = fd;
}

/* Wait until the input is readable or the read is cancelled. poll() ignores a negative fd. */
static bool wait_for_input(BerthSource *source, GError **error)
{
    if (source->is_file)
        return true;
    struct pollfd fds[] = {{.fd = source->fd, .events = POLLIN},
                           {.fd = source->cancel_fd, .events = POLLIN}};
    while (poll(fds, G_N_ELEMENTS(fds), -1) < 0) {
        if (errno == EINTR)
            continue;
        berth_error_set_errno(error, errno, "import.read", "wait for the archive");
        return false;
    }
    if (fds[1].revents == 0)
        return true;
    berth_error_set(error, BERTH_ERROR_CANCELLED, "import.cancelled", NULL, "cancelled");
    return false;
}

/* Wait for the next bytes of a file that grows. *@size: no more than are ready. */
static bool wait_for_growth(BerthSource *source, gsize *size, GError **error)
{
    guint64 ready = 0;
    if (source->range_left == 0)
        return true;
    if (!berth_growth_wait(source->growth, source->range_at, source->cancel_fd, &ready, error))
        return false;
    *size = (gsize)MIN(*size, ready - source->range_at);
    return true;
}

static ssize_t read_some(BerthSource *source, guint8 *data, gsize size)
{
    if (!source->is_range)
        return read(source->fd, data, size);
    ssize_t got = pread(source->fd, data, MIN(size, source->range_left), (off_t)source->range_at);
    if (got > 0) {
        source->range_at += (guint64)got;
        source->range_left -= (guint64)got;
    }
    return got;
}

/* One read into @data. *ret_size is 0 at the end and when the caller must retry. */
static bool fetch(BerthSource *source, guint8 *data, gsize size, gsize *ret_size, GError **error)
{
    *ret_size = 0;
    if (!(source->growth != NULL ? wait_for_growth(source, &size, error)
                                 : wait_for_input(source, error)))
        return false;

    ssize_t got = read_some(source, data, size);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    if (got < 0) {
        berth_error_set_errno(error, errno, "import.read", "read the archive");
        return false;
    }
    if (got == 0 && source->range_left > 0) {
        berth_error_set(error, BERTH_ERROR_INVALID, "import.read.truncated",
                        "fetch or copy the file again", "the file ends too early");
        return false;
    }
    source->at_end = got == 0;
    *ret_size = (gsize)got;
    if (source->tap != NULL && got > 0)
        source->tap(data, (gsize)got, source->tap_data);
    return true;
}

bool berth_source_peek(BerthSource *source, gsize wanted, const guint8 **ret_data, gsize *ret_size,
                       GError **error)
{
    g_assert(wanted <= PEEK_LIMIT);
    gsize held = source->end - source->start;
    if (held < wanted && source->start > 0) {
        memmove(source->buffer, source->buffer + source->start, held);
        source->start = 0;
        source->end = held;
    }
    while (source->end - source->start < wanted && !source->at_end) {
        gsize got = 0;
        if (!fetch(source, source->buffer + source->end, BUFFER_SIZE - source->end, &got, error))
            return false;
        source->end += got;
    }
    *ret_data = source->buffer + source->start;
    *ret_size = source->end - source->start;
    return true;
}

void berth_source_consume(BerthSource *source, gsize size)
{
    g_assert(size <= source->end - source->start);
    source->start += size;
    source->position += size;
}

bool berth_source_read(BerthSource *source, guint8 *data, gsize size, gsize *ret_size,
                       GError **error)
{
    gsize filled = MIN(size, source->end - source->start);
    memcpy(data, source->buffer + source->start, filled);
    berth_source_consume(source, filled);
    while (filled < size && !source->at_end) {
        gsize got = 0;
        if (!fetch(source, data + filled, size - filled, &got, error))
            return false;
        filled += got;
        source->position += got;
    }
    *ret_size = filled;
    return true;
}

bool berth_source_is_file(const BerthSource *source)
{
    return source->is_file;
}

guint64 berth_source_position(const BerthSource *source)
{
    return source->position;
}
