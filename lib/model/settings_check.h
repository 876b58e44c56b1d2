/* SPDX-License-Identifier: MIT
 *
 * settings_check — the lines of berth.conf that have no effect, and where a key stands.
 *
 * Pure functions of the file's text, which GKeyFile must have accepted: GKeyFile itself keeps no
 * line numbers. Lines count from 1. Nothing here fails.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* Whether [@group] is [distro @distro], or [berth] for NULL; compared without case. */
bool berth_settings_is_group(const char *group, const char *distro);

/* The line of the last @key in a [@group]; 0: there is none. */
guint berth_settings_line(const char *text, const char *group, const char *key);

/* One line for the user, "@origin:LINE: ...", for each unknown group, each key without a row in
 * settings.h, each value that is not allowed, and each key that an earlier line of the same group
 * has already given. Groups of distros that do not exist are fine: such a distro may come later.
 * Free with g_strfreev. */
char **berth_settings_check(const char *text, const char *origin);

G_END_DECLS
