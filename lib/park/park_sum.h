/* SPDX-License-Identifier: MIT
 *
 * park_sum — a 64-bit checksum that finds damage, at the speed of memory. It does not resist
 * forgery.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The checksum of @size bytes that follow those of the checksum @seed; 0 for the first ones. The
 * result depends on where the bytes are cut into calls. */
guint64 berth_park_sum(guint64 seed, const void *data, gsize size);

G_END_DECLS
