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

/* The key in berth.conf for @value of WSL's @key; *ret_value is what that takes, free with g_free.
 * Milliseconds become seconds, rounded up; a negative timeout of idleness is "never". @key has one
 * of ours. */
const char *berth_wsl_convert(const BerthWslKey *key, const char *value, char **ret_value);

G_END_DECLS
