/* SPDX-License-Identifier: MIT */
#include "output.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#define SYNC_STEP (G_GUINT64_CONSTANT(64) << 20)

static bool fail(int errnum, GError **error)
{
    if (errnum == EPIPE)
        berth_error_set(error, BERTH_ERROR_FAILED, "export.write.closed", NULL,
                        "write the export: the reader closed the pipe");
    else
        berth_error_set_errno(error, errnum, "export.write", "write the export");
    return false;
}

bool berth_output_write(BerthOutput *output, const void *data, gsize size, GError **error)
{
    const guint8 *next = data;
    while (size > 0) {
        ssize_t done = write(output->fd, next, size);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0 && errno == EAGAIN) {
            struct pollfd wait = {.fd = output->fd, .events = POLLOUT};
            poll(&wait, 1, -1);
            continue;
        }
        if (done < 0)
            return fail(errno, error);
        next += done;
        size -= (gsize)done;
        output->written += (guint64)done;
        output->unsynced += (guint64)done;
    }
    /* Start writeback so that the final sync is short. Fails harmlessly on pipes. */
    if (output->unsynced >= SYNC_STEP) {
        sync_file_range(output->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
        output->unsynced = 0;
    }
    return true;
}
