/* SPDX-License-Identifier: MIT
 *
 * settings_edit — changes one key in the text of a berth.conf and leaves every other byte as it is:
 * comments, order, unknown lines, line ends.
 *
 * Pure functions that cannot fail. berth_settings_parse must have accepted the text, which may
 * begin with BERTH_SETTINGS_MARK. Strings that are returned are the caller's; free with g_free.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* @text with @key = @value in the group of @distro (NULL: [berth]); without the key if @value is
 * NULL. A key that is there keeps its line, and further lines of it in the group are removed; a new
 * one follows the group's last key; a new group is the last of the file. @value is UTF-8 and is
 * escaped as a key file needs it. */
char *berth_settings_edit(const char *text, const char *distro, const char *key, const char *value);

/* The value of @key in the group of @distro (NULL: [berth]); NULL if it is not there or has no
 * valid text. */
char *berth_settings_lookup(const char *text, const char *distro, const char *key);

/* Whether a line of that group has @key. */
bool berth_settings_has(const char *text, const char *distro, const char *key);

G_END_DECLS
