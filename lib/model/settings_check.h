/* SPDX-License-Identifier: MIT
 *
 * settings_check — finds settings without effect in berth.conf and in the environment, and the line
 * of a key.
 *
 * Pure functions that cannot fail. A file's text must have been accepted by GKeyFile, which keeps
 * no line numbers. Lines count from 1.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* Whether [@group] is [distro @distro], or [berth] for NULL; compared without case. */
bool berth_settings_check_is_group(const char *group, const char *distro);

/* The line of the last @key in a [@group]; 0 when there is none. */
guint berth_settings_check_line(const char *text, const char *group, const char *key);

/* Warnings for the user, "@origin:LINE: ...", one for each unknown group, unknown key, invalid
 * value, global key in a distro's group, and key repeated in its group. Groups of unregistered
 * distros are fine. Free with g_strfreev. */
char **berth_settings_check(const char *text, const char *origin);

/* Warnings for the user, one for each variable of @environment ("K=V" strings) that begins with
 * BERTH_ and that berth does not read. Free with g_strfreev. */
char **berth_settings_check_environment(const char *const *environment);

G_END_DECLS
