/* SPDX-License-Identifier: MIT
 *
 * progress — progress reports of long work to its caller, who may cancel it.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct {
    guint64 bytes_done;  /* of the input as stored (an archive: compressed) */
    guint64 bytes_total; /* 0: unknown, the input is a pipe */
    guint64 entries;
    guint64 ready; /* bytes of the output's beginning that will not change; 0: not said */
} BerthProgress;

/* Called about ten times a second, and once at the end. False: cancel. */
typedef bool (*BerthProgressFunc)(const BerthProgress *progress, gpointer user_data);

G_END_DECLS
