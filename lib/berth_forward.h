/* SPDX-License-Identifier: MIT
 *
 * berth_forward — the forwards of ports that the user defines. A part of the public interface
 * (berth.h).
 */
#pragma once

#include "berth_handle.h"

G_BEGIN_DECLS

typedef struct {
    char *distro;
    char *rule;         /* in the syntax of berth_forward_add */
    char *protocol;     /* "tcp" or "udp" */
    char *host_address; /* NULL: localhost, both families */
    guint16 host_port, guest_port;
} BerthForwardRule;

void berth_forward_rule_free(BerthForwardRule *rule);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthForwardRule, berth_forward_rule_free)

/* The forwards defined by the user, of @name or all distros, BerthForwardRule *; free with
 * g_ptr_array_unref. */
GPtrArray *berth_forward_list(Berth *berth, const char *name, GError **error);

/* Forward "[HOSTADDRESS:][HOSTPORT:]GUESTPORT[/udp]" whenever @name runs, at once if it is running,
 * also while nothing listens. *@ret_notice is a problem for the user, such as that the host's port
 * is in use, or NULL; free with g_free. Errors: also "forward.rule", "forward.exists". */
bool berth_forward_add(Berth *berth, const char *name, const char *rule, char **ret_notice,
                       GError **error);
/* Remove such a forward. Errors: also "forward.rule", "forward.not-found". */
bool berth_forward_remove(Berth *berth, const char *name, const char *rule, GError **error);

G_END_DECLS
