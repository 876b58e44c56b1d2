/* SPDX-License-Identifier: MIT
 *
 * work — progress reports of long work, for callers that do not include lib/disk.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* @bytes_total is 0 if unknown. Return false to cancel. */
typedef bool (*BerthWorkFunc)(guint64 bytes_done, guint64 bytes_total, gpointer user_data);

typedef struct {
    BerthWorkFunc progress; /* may be NULL */
    gpointer user_data;
} BerthWatch;

G_END_DECLS
