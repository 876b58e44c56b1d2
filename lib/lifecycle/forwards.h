/* SPDX-License-Identifier: MIT
 *
 * forwards — the forwards that users define: rows of the registry, applied at once to a running
 * distro.
 */
#pragma once

#include "handle.h"

#include "model/rule.h"

G_BEGIN_DECLS

/* Forward by @text, "[HOSTADDRESS:][HOSTPORT:]GUESTPORT[/udp]", whenever @name runs, at once if it
 * is running. *@ret_notice is a problem for the user, or NULL; free with g_free. Errors:
 * "distro.*", "forward.rule", "forward.exists", "instance.*". */
bool berth_forwards_add(Berth *berth, const char *name, const char *text, char **ret_notice,
                        GError **error);
/* Remove such a forward. Errors: also "forward.not-found". */
bool berth_forwards_remove(Berth *berth, const char *name, const char *text, GError **error);

G_END_DECLS
