/* SPDX-License-Identifier: MIT
 *
 * output — the descriptor an export goes to: whole writes, counted, and started on their way to the
 * disk early. Borrowed; may be non-blocking. Errors: "export.write.*".
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct {
    int fd;
    guint64 written;
    guint64 unsynced;
} BerthOutput;

bool berth_output_write(BerthOutput *output, const void *data, gsize size, GError **error);

G_END_DECLS
