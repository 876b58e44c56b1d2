/* SPDX-License-Identifier: MIT
 *
 * growth — how far a file has come that another process still writes: numbers on a socket.
 *
 * A number says that the bytes before it are there. For the reader they only increase, whatever is
 * sent. BERTH_GROWTH_COMPLETE is the last one; an end before it means that nothing more will come.
 *
 * Offsets are bytes from the file's beginning. Errors: errno's, "import.read.*";
 * BERTH_ERROR_INVALID, "import.read.truncated"; BERTH_ERROR_CANCELLED, "import.cancelled".
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_GROWTH_COMPLETE G_MAXUINT64

/* The reader's end. One thread at a time. */
typedef struct BerthGrowth {
    int fd; /* borrowed */
    guint64 ready;
} BerthGrowth;

/* Wait until more than @offset bytes are ready, and return how many are. Ends with
 * "import.cancelled" once @cancel_fd is readable (-1: never). */
bool berth_growth_wait(BerthGrowth *growth, guint64 offset, int cancel_fd, guint64 *ret_ready,
                       GError **error);

/* Make both ends. Errors: errno's, "fetch.open.*". */
bool berth_growth_new(int *ret_reading, int *ret_writing, GError **error);

/* Send @ready, unless the reader is far behind: a later number says all that this one does. */
void berth_growth_send(int fd, guint64 ready);

/* Send BERTH_GROWTH_COMPLETE. Waits until there is room for it, or no reader any more. */
void berth_growth_complete(int fd);

G_END_DECLS
