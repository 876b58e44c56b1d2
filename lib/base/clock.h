/* SPDX-License-Identifier: MIT
 *
 * clock — time that goes on while the host sleeps, and that nobody sets.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* CLOCK_BOOTTIME, microseconds: for how long something has been there, as its user counts. */
gint64 berth_clock_boottime(void);

G_END_DECLS
