/* SPDX-License-Identifier: MIT
 *
 * output — the descriptor that an export writes to. Completes short writes, counts bytes and starts
 * writeback early. The descriptor is borrowed and may be non-blocking. Errors: "export.write.*".
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
