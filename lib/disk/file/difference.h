/* SPDX-License-Identifier: MIT
 *
 * difference — one file that two disks of a distro do not have in common, as a value and as a
 * record of a stream from berth-image.
 *
 * A record is a change, a type and two hexadecimal digits of aspects, then the path and a NUL. The
 * writer parses hostile images and may be compromised, so the reader bounds and checks each record.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef enum {
    BERTH_DIFFERENCE_ADDED,
    BERTH_DIFFERENCE_DELETED,
    BERTH_DIFFERENCE_CHANGED,
} BerthDifferenceChange;

/* What of a changed file differs: bits. With TYPE it is alone: a file of another type is another
 * file. */
enum {
    BERTH_DIFFERENCE_TYPE = 1 << 0,
    BERTH_DIFFERENCE_CONTENT = 1 << 1,
    BERTH_DIFFERENCE_TARGET = 1 << 2, /* of a symbolic link */
    BERTH_DIFFERENCE_DEVICE = 1 << 3, /* numbers */
    BERTH_DIFFERENCE_OWNER = 1 << 4,
    BERTH_DIFFERENCE_MODE = 1 << 5,
    BERTH_DIFFERENCE_ATTRIBUTES = 1 << 6, /* extended ones and ACLs */
};
#define BERTH_DIFFERENCE_ASPECTS 7

typedef struct {
    BerthDifferenceChange change;
    char type;        /* 'f', 'd', 'l', 'c', 'b' or 'p'; of the newer file */
    guint aspects;    /* 0 unless changed */
    const char *path; /* bytes without '/' in front; "" is the root; borrowed */
} BerthDifference;

/* "added", "file", "content". Static. */
const char *berth_difference_change(BerthDifferenceChange change);
const char *berth_difference_type(char type);
const char *berth_difference_aspect(guint index); /* of bit 1 << @index */

/* Append the record of @difference to @stream. */
void berth_difference_write(GByteArray *stream, const BerthDifference *difference);

/* Return false with @error set to end the reading. */
typedef bool (*BerthDifferenceFunc)(const BerthDifference *difference, gpointer user_data,
                                    GError **error);

/* Decodes a stream that comes in parts. Init: a new GByteArray, owned by the caller. */
typedef struct {
    GByteArray *partial; /* an incomplete record */
    BerthDifferenceFunc func;
    gpointer user_data;
} BerthDifferenceReader;

/* Decode @size more bytes. Errors: BERTH_ERROR_PROTOCOL, "import.worker.protocol"; those of the
 * function. */
bool berth_difference_feed(BerthDifferenceReader *reader, const void *data, gsize size,
                           GError **error);

/* Check that no record is incomplete. */
bool berth_difference_end(const BerthDifferenceReader *reader, GError **error);

G_END_DECLS
