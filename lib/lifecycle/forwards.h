/* SPDX-License-Identifier: MIT
 *
 * forwards — the forwards a user asked for: rows of the registry, done at once where the distro
 * runs.
 */
#pragma once

#include "handle.h"

#include "model/rule.h"

G_BEGIN_DECLS

/* Forward by @text, "[HOSTADDRESS:][HOSTPORT:]GUESTPORT[/udp]", whenever @name runs, and now if it
 * does. *@ret_notice says what is not as wanted, or is NULL; free with g_free. Errors: "distro.*",
 * "forward.rule", "forward.exists", "instance.*". */
bool berth_forwards_add(Berth *berth, const char *name, const char *text, char **ret_notice,
                        GError **error);
/* Errors: also "forward.not-found". */
bool berth_forwards_remove(Berth *berth, const char *name, const char *text, GError **error);

G_END_DECLS
