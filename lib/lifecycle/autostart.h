/* SPDX-License-Identifier: MIT
 *
 * autostart — `berth autostart`: distros that start with their user's systemd.
 */
#pragma once

#include "handle.h"

G_BEGIN_DECLS

/* Let the distro @name start with the user's systemd, or no longer. *@ret_notice is lines for the
 * user about when it does, or NULL; free with g_free. Errors: "distro.*", those of
 * manage/autostart.h; BERTH_ERROR_FAILED, "autostart.no-systemd". */
bool berth_autostart_set(Berth *berth, const char *name, bool on, char **ret_notice,
                         GError **error);

/* The distro @old is going to be called @name: give it a unit of that name if it has one. False:
 * it is not to be renamed. */
bool berth_autostart_prepare_rename(Berth *berth, const char *old, const char *name,
                                    GError **error);

/* Remove the unit of @name, which no distro is called any more. A failure is a line of
 * berth->waiting. */
void berth_autostart_forget(Berth *berth, const char *name);

G_END_DECLS
