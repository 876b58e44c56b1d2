/* SPDX-License-Identifier: MIT
 *
 * up — shared by berth up and berth install --template.
 */
#pragma once

#include "command.h"

/* Make the distro of the template @name. Of @invocation the options name and from-file are used.
 * Returns an exit status, or -1 with @error. */
int up_run_template(Invocation *invocation, const char *name, GError **error);
