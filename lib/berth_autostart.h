/* SPDX-License-Identifier: MIT
 *
 * berth_autostart — distros that start with their user's systemd. A part of the public interface
 * (berth.h).
 */
#pragma once

#include "berth_handle.h"

G_BEGIN_DECLS

/* Let @name start with the user's systemd, or no longer: a unit in ~/.config/systemd/user, which
 * follows a rename and goes with the distro. *@ret_notice is lines for the user about when it
 * starts, or NULL; free with g_free. Errors: "distro.*", "autostart.no-systemd",
 * "autostart.foreign", "autostart.write.*", "autostart.remove.*". */
bool berth_autostart(Berth *berth, const char *name, bool on, char **ret_notice, GError **error);

/* Whether @name does, in *@ret_on. Errors: "distro.*". */
bool berth_is_autostarted(Berth *berth, const char *name, bool *ret_on, GError **error);

G_END_DECLS
