/* SPDX-License-Identifier: MIT
 *
 * status — the status protocol of berth-image: lines on a pipe, their writer and their reader.
 *
 *     progress DONE TOTAL ENTRIES [READY]
 *     warning TEXT
 *     report N N N ...                  up to BERTH_IMAGE_STATUS_NUMBERS, the verb's
 *     error CODE <tab>ID<tab>HINT<tab>MESSAGE
 *
 * The writer parses hostile input and may be compromised, so the reader trusts no line: it bounds
 * their length and number, makes text printable and checks ids.
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
    BERTH_IMAGE_STATUS_SPOOL_FD = 6,  /* an empty file for spooled data; may be missing */
    BERTH_IMAGE_STATUS_NEW_FD = 6,    /* the newer of the two images that diff reads */
    BERTH_IMAGE_STATUS_GROWTH_FD = 6, /* how far the input has come, if it grows (growth.h) */
};

#define BERTH_IMAGE_STATUS_NUMBERS  8
#define BERTH_IMAGE_STATUS_WARNINGS 100 /* further ones are only counted */
#define BERTH_IMAGE_STATUS_LINE_MAX 4096

/* The state decoded so far. */
typedef struct {
    BerthProgress progress;
    GPtrArray *warnings; /* char * */
    guint warnings_left_out;
    bool has_report;
    guint64 report[BERTH_IMAGE_STATUS_NUMBERS];
    GError *error;    /* the worker's error */
    guint64 cpu_usec; /* processor time of the worker; set by who reaped it */

    GByteArray *partial; /* an incomplete line */
} BerthImageStatus;

void berth_image_status_init(BerthImageStatus *status);
void berth_image_status_clear(BerthImageStatus *status);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthImageStatus, berth_image_status_clear)

/* Decode @size more bytes. Errors: BERTH_ERROR_PROTOCOL, "import.worker.protocol". */
bool berth_image_status_feed(BerthImageStatus *status, const void *data, gsize size,
                             GError **error);

/* Write one line to @fd. False when the reader has closed the pipe. */
bool berth_image_status_send_progress(int fd, const BerthProgress *progress);
bool berth_image_status_send_warning(int fd, const char *text);
bool berth_image_status_send_report(int fd, const guint64 *numbers, guint count);
bool berth_image_status_send_error(int fd, const GError *error);

G_END_DECLS
