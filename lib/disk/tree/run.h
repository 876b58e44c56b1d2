/* SPDX-License-Identifier: MIT
 *
 * run — a stretch of a file's data and where in the image it is; all in bytes.
 *
 * What lies between the runs of a file, and behind the last up to its size, is a hole.
 */
#pragma once

#include <glib.h>

typedef struct {
    guint64 offset;   /* in the file */
    guint64 position; /* in the image */
    guint64 length;   /* never 0 */
} BerthDataRun;
