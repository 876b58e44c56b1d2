/* SPDX-License-Identifier: MIT
 *
 * clock — time that includes suspends of the host and cannot be stepped.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* CLOCK_BOOTTIME in microseconds; for uptimes. */
gint64 berth_clock_boottime(void);

G_END_DECLS
