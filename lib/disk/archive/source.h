/* SPDX-License-Identifier: MIT
 *
 * source — buffered, counted reads of an archive from a descriptor.
 *
 * Works on files, pipes and sockets, blocking or not, or on a range of a shared file. The fd is
 * borrowed; returned blocks are valid until the next call. One thread at a time; only
 * berth_source_position() is thread-safe. Errors: "import.read.*", and BERTH_ERROR_CANCELLED
 * "import.cancelled".
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct BerthSource BerthSource;
typedef struct BerthGrowth BerthGrowth; /* disk/file/growth.h */

/* Read @fd from its current offset to its end. */
BerthSource *berth_source_new(int fd);

/* Read @length bytes of the file @fd from @offset with pread(), so that several ranges of one fd
 * can be read concurrently. A shorter file is an error, "import.read.truncated". */
BerthSource *berth_source_new_range(int fd, guint64 offset, guint64 length);

/* Wait for bytes of the range that are not ready yet; @growth is borrowed. Then it is no regular
 * file for berth_source_is_file. Set it before the first read. */
void berth_source_set_growth(BerthSource *source, BerthGrowth *growth);

void berth_source_free(BerthSource *source);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthSource, berth_source_free)

/* Called once with every byte, in order, by the reading thread: for a digest of the input. */
typedef void (*BerthSourceTap)(const guint8 *data, gsize size, gpointer user_data);
void berth_source_set_tap(BerthSource *source, BerthSourceTap tap, gpointer user_data);
bool berth_source_is_tapped(const BerthSource *source);

/* Reads fail with "import.cancelled" as soon as @fd is readable. */
void berth_source_set_cancel(BerthSource *source, int fd);

/* Look ahead without consuming: at least @wanted bytes (no more than 64 KiB) unless the input is
 * shorter. *ret_size is 0 at the end of the input. */
bool berth_source_peek(BerthSource *source, gsize wanted, const guint8 **ret_data, gsize *ret_size,
                       GError **error);

/* Consume @size peeked bytes. */
void berth_source_consume(BerthSource *source, gsize size);

/* Copy up to @size bytes to @data; fewer only at the end of the input. */
bool berth_source_read(BerthSource *source, guint8 *data, gsize size, gsize *ret_size,
                       GError **error);

/* Whether it is a regular file: reads never wait for a writer. */
bool berth_source_is_file(const BerthSource *source);

/* Bytes consumed so far. */
guint64 berth_source_position(const BerthSource *source);

G_END_DECLS
