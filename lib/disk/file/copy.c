/* SPDX-License-Identifier: MIT */
#include "copy.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes between two calls of the progress function. */
#define STEP_SIZE ((gsize)16 << 20)
/* Buffer of the read/write fallback; fits the caches of most machines. */
#define BUFFER_SIZE ((gsize)1 << 20)

typedef struct {
    int input, output;
    BerthProgressFunc progress;
    gpointer user_data;
    BerthProgress done;
    bool read_write; /* fall back: copy_file_range refused these two files */
    char *buffer;    /* of the fallback */
} Copy;

static void copy_clear(Copy *copy)
{
    g_clear_pointer(&copy->buffer, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Copy, copy_clear)

/* Errors by which copy_file_range refuses a pair of files; read and write may still work. */
static bool is_refusal(int errnum)
{
    return errnum == EXDEV || errnum == EOPNOTSUPP || errnum == ENOSYS || errnum == EINVAL;
}

static ssize_t copy_read_write(Copy *copy, off_t offset, gsize size)
{
    if (copy->buffer == NULL)
        copy->buffer = g_malloc(BUFFER_SIZE);
    ssize_t got = pread(copy->input, copy->buffer, MIN(size, BUFFER_SIZE), offset);
    for (ssize_t put = 0; put < got;) {
        ssize_t written =
            pwrite(copy->output, copy->buffer + put, (gsize)(got - put), offset + put);
        if (written < 0 && errno != EINTR)
            return -1;
        put += MAX(written, 0);
    }
    return got;
}

/* Copy up to @size bytes. Return the number copied, 0 at the end of the file, or -1 with errno. */
static ssize_t copy_some(Copy *copy, off_t offset, gsize size)
{
    if (!copy->read_write) {
        off_t from = offset;
        off_t to = offset;
        ssize_t copied = copy_file_range(copy->input, &from, copy->output, &to, size, 0);
        if (copied > 0 || (copied < 0 && !is_refusal(errno)))
            return copied;
        copy->read_write = true; /* or this is the end of the file: pread() decides */
    }
    return copy_read_write(copy, offset, size);
}

static int copy_extent(Copy *copy, off_t offset, off_t end)
{
    while (offset < end) {
        ssize_t copied = copy_some(copy, offset, MIN((gsize)(end - offset), STEP_SIZE));
        if (copied < 0 && errno == EINTR)
            continue;
        if (copied < 0)
            return errno;
        if (copied == 0)
            return EIO; /* the file was truncated meanwhile */
        offset += copied;
        copy->done.bytes_done += (guint64)copied;
        if (copy->progress != NULL && !copy->progress(&copy->done, copy->user_data))
            return ECANCELED;
    }
    return 0;
}

/* Find the next data extent at or after *@offset. False at the end (*errnum 0) or on error. */
static bool next_extent(int fd, off_t size, off_t *offset, off_t *ret_end, int *errnum)
{
    if (*offset >= size)
        return false;
    off_t data = lseek(fd, *offset, SEEK_DATA);
    if (data < 0 && errno == EINVAL) { /* a file system without SEEK_DATA */
        *ret_end = size;
        return true;
    }
    off_t end = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
    if (end < 0) {
        *errnum = errno == ENXIO ? 0 : errno;
        return false;
    }
    *offset = data;
    *ret_end = end;
    return true;
}

static int count_data(Copy *copy, off_t size)
{
    int errnum = 0;
    off_t end = 0;
    for (off_t offset = 0; next_extent(copy->input, size, &offset, &end, &errnum); offset = end)
        copy->done.bytes_total += (guint64)(end - offset);
    return errnum;
}

static int copy_data(Copy *copy, off_t size)
{
    int errnum = count_data(copy, size);
    off_t end = 0;
    for (off_t offset = 0; errnum == 0 && next_extent(copy->input, size, &offset, &end, &errnum);
         offset = end)
        errnum = copy_extent(copy, offset, end);
    /* A truncated file looks like a hole to SEEK_DATA: compare the size again. */
    struct stat now;
    if (errnum == 0 && fstat(copy->input, &now) < 0)
        return errno;
    return errnum == 0 && now.st_size < size ? EIO : errnum;
}

bool berth_copy_share(int input, int output)
{
    return ioctl(output, FICLONE, input) == 0;
}

int berth_copy_measure(int input, guint64 *ret_bytes)
{
    Copy copy = {.input = input};
    struct stat st;
    if (fstat(input, &st) < 0)
        return errno;
    int errnum = count_data(&copy, st.st_size);
    *ret_bytes = copy.done.bytes_total;
    return errnum;
}

bool berth_copy(int input, int output, const char *work, const char *what,
                BerthProgressFunc progress, gpointer user_data, BerthCopyReport *ret_report,
                GError **error)
{
    g_auto(Copy) copy = {input, output, progress, user_data};
    bool shared = berth_copy_share(input, output);
    struct stat st;
    int errnum = 0;
    if (!shared)
        errnum = fstat(input, &st) < 0 || ftruncate(output, st.st_size) < 0
                     ? errno
                     : copy_data(&copy, st.st_size);
    if (errnum == 0) {
        if (ret_report != NULL)
            *ret_report = (BerthCopyReport){shared, copy.done.bytes_done};
        return true;
    }

    g_autofree char *step = g_strconcat(work, errnum == ECANCELED ? ".cancelled" : ".copy", NULL);
    if (errnum == ECANCELED)
        berth_error_set(error, BERTH_ERROR_CANCELLED, g_intern_string(step), NULL, "cancelled");
    else
        berth_error_set_errno(error, errnum, step, "copy %s", what);
    return false;
}
