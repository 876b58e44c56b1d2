/* SPDX-License-Identifier: MIT
 *
 * autostart — the systemd user unit that starts a distro when its user's systemd does.
 *
 * The unit of the distro NAME is berth-NAME.service in the user's own directory of units; a link in
 * default.target.wants enables it, as `systemctl --user enable` does. Names of distros need no
 * escape in names of units. The unit's first line is BERTH_AUTOSTART_MARK; a file without it is the
 * user's, and stays as it is.
 */
#pragma once

#include "store/layout.h"

G_BEGIN_DECLS

#define BERTH_AUTOSTART_MARK "# Made by berth autostart, which replaces and removes it.\n"

/* The text of the unit with which @program, an absolute path, starts the distro @name. Of
 * @environment ("K=V" strings) it keeps what says where berth's files are. Free with g_free. */
char *berth_autostart_text(const char *program, const char *name, const char *const *environment);

/* The path of the unit; free with g_free. */
char *berth_autostart_path(const BerthLayout *layout, const char *name);

/* Whether the unit of @name is there, is berth's and is enabled. */
bool berth_autostart_is_on(const BerthLayout *layout, const char *name);

/* Write the unit and enable it. Errors: errno's, "autostart.write.*", "layout.*";
 * BERTH_ERROR_EXISTS, "autostart.foreign". */
bool berth_autostart_write(const BerthLayout *layout, const char *name, const char *text,
                           GError **error);

/* Disable and remove the unit; one that is not there, or not berth's, is no error. Errors: errno's,
 * "autostart.remove.*". */
bool berth_autostart_remove(const BerthLayout *layout, const char *name, GError **error);

G_END_DECLS
