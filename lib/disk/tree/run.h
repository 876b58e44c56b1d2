/* SPDX-License-Identifier: MIT
 *
 * run — an extent of a file's data and its place in the image, in bytes.
 *
 * Gaps between a file's runs, and from the last run to the file's size, are holes.
 */
#pragma once

#include <glib.h>

typedef struct {
    guint64 offset;   /* in the file */
    guint64 position; /* in the image */
    guint64 length;   /* never 0 */
} BerthDataRun;
