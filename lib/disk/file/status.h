/* SPDX-License-Identifier: MIT
 *
 * status — what a berth-image says about its work, as lines on a pipe, and how they are read.
 *
 *     progress DONE TOTAL ENTRIES
 *     warning TEXT
 *     report N N N ...                  up to BERTH_IMAGE_STATUS_NUMBERS; what they mean is the
 * verb's error CODE <tab>ID<tab>HINT<tab>MESSAGE
 *
 * The writer parses hostile input, so the reader of the lines trusts none: lines and their number
 * are bounded, text is made printable, ids are checked. Whatever the bytes are,
 * berth_image_status_feed ends with true or with an error.
 */
#pragma once

#include "base/progress.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* The descriptors of a berth-image. */
enum {
    BERTH_IMAGE_STATUS_INPUT_FD = 3,
    BERTH_IMAGE_STATUS_OUTPUT_FD = 4,
    BERTH_IMAGE_STATUS_FD = 5,
    BERTH_IMAGE_STATUS_SPOOL_FD = 6, /* an empty file to put things aside in; may be missing */
};

#define BERTH_IMAGE_STATUS_NUMBERS  8
#define BERTH_IMAGE_STATUS_WARNINGS 100 /* more are counted, not kept */
#define BERTH_IMAGE_STATUS_LINE_MAX 4096

/* What has been said so far. */
typedef struct {
    BerthProgress progress;
    GPtrArray *warnings; /* char * */
    guint warnings_left_out;
    bool has_report;
    guint64 report[BERTH_IMAGE_STATUS_NUMBERS];
    GError *error; /* what went wrong, in the words of the other side */

    GByteArray *partial; /* a line that has not ended yet */
} BerthImageStatus;

void berth_image_status_init(BerthImageStatus *status);
void berth_image_status_clear(BerthImageStatus *status);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthImageStatus, berth_image_status_clear)

/* Read @size bytes more. Errors: BERTH_ERROR_PROTOCOL, "import.worker.protocol". */
bool berth_image_status_feed(BerthImageStatus *status, const void *data, gsize size,
                             GError **error);

/* Write one line to @fd. False when nobody reads any more. */
bool berth_image_status_send_progress(int fd, const BerthProgress *progress);
bool berth_image_status_send_warning(int fd, const char *text);
bool berth_image_status_send_report(int fd, const guint64 *numbers, guint count);
bool berth_image_status_send_error(int fd, const GError *error);

G_END_DECLS
