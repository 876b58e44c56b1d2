/* SPDX-License-Identifier: MIT
 *
 * settings_check — finds settings without effect in berth.conf and in the environment.
 *
 * Pure functions that cannot fail. A file's text must have been accepted by GKeyFile.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* Warnings for the user, "@origin:LINE: ...", one for each unknown group, unknown key, invalid
 * value, global key in a distro's group, and key repeated in its group. Groups of unregistered
 * distros are fine. Free with g_strfreev. */
char **berth_settings_check(const char *text, const char *origin);

/* Warnings for the user, one for each variable of @environment ("K=V" strings) that begins with
 * BERTH_ and that berth does not read. Free with g_strfreev. */
char **berth_settings_check_environment(const char *const *environment);

G_END_DECLS
