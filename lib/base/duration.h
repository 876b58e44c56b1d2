/* SPDX-License-Identifier: MIT
 *
 * duration — parses amounts of time that people type.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* Parse "90", "90s", "30m", "30min", "2h" or "1d" into seconds, at most G_MAXUINT32. False for
 * anything else, including signs and blanks; then *@ret_seconds is untouched. */
bool berth_duration_parse(const char *text, guint32 *ret_seconds);

G_END_DECLS
