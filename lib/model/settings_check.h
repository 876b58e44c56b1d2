/* SPDX-License-Identifier: MIT
 *
 * settings_check — the settings that have no effect, in berth.conf and in the environment, and
 * where a key stands.
 *
 * Pure functions. A file's text must be one that GKeyFile has accepted, which itself keeps no line
 * numbers. Lines count from 1. Nothing here fails.
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
 * settings.h, each value that is not allowed, each key of a distro's group that counts for all
 * distros at once, and each key that an earlier line of the same group has already given. Groups of
 * distros that do not exist are fine: such a distro may come later. Free with g_strfreev. */
char **berth_settings_check(const char *text, const char *origin);

/* One line for the user for each variable of @environment ("K=V" strings) that begins with BERTH_
 * and is neither a setting's nor one that berth reads otherwise. Free with g_strfreev. */
char **berth_settings_check_environment(const char *const *environment);

G_END_DECLS
