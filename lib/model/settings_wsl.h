/* SPDX-License-Identifier: MIT
 *
 * settings_wsl — the keys of WSL's .wslconfig, and berth's settings of the same meaning.
 *
 * Pure functions that cannot fail.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct {
    const char *section, *key; /* in .wslconfig */
    const char *ours;          /* the key in berth.conf, or NULL */
    bool milliseconds;         /* ours is in seconds */
    const char *instead;       /* without one of ours: what berth does */
} BerthWslKey;

/* The row of "processors" or "wsl2.processors", compared without case; NULL: WSL has no such key,
 * or berth nothing like it. */
const BerthWslKey *berth_wsl_key_find(const char *word);

/* @value as our setting takes it: milliseconds become seconds, rounded up. Free with g_free. */
char *berth_wsl_value(const BerthWslKey *key, const char *value);

G_END_DECLS
