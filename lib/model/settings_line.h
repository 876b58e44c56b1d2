/* SPDX-License-Identifier: MIT
 *
 * settings_line — the entries of a berth.conf with their line numbers, which GKeyFile does not
 * keep.
 *
 * Pure functions that cannot fail. The text must have been accepted by GKeyFile. Lines count
 * from 1.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_SETTINGS_DISTRO "distro " /* before the name in a distro's group */

/* Begin with {.next = text}; the text is borrowed. */
typedef struct {
    const char *next;  /* unread text */
    const char *begin; /* of the entry's line */
    guint number;      /* of the entry's line */
    char *group;       /* current group */
    char *key;         /* NULL: the entry is a group header */
    char *value;
} BerthSettingsLine;

void berth_settings_line_clear(BerthSettingsLine *line);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthSettingsLine, berth_settings_line_clear)

/* Go to the next entry; false at the end of the text. */
bool berth_settings_line_next(BerthSettingsLine *line);

/* Whether [@group] is [distro @distro], or [berth] for NULL; compared without case. */
bool berth_settings_line_is_group(const char *group, const char *distro);

/* The line of the last @key in a [@group]; 0 when there is none. */
guint berth_settings_line_of(const char *text, const char *group, const char *key);

G_END_DECLS
