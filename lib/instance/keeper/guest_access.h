/* SPDX-License-Identifier: MIT
 *
 * guest_access — where a running distro may go, as it is now (model/access.h).
 *
 *     berth.conf                        as it was when the distro started
 *     `berth host allow` and `deny`     at once
 *     ports allowed until it stops      such as a proxy's
 *     the host's addresses              of an isolated distro, followed as they change
 *
 * On the thread-default GMainContext.
 */
#pragma once

#include "model/access.h"
#include "model/machine.h"

G_BEGIN_DECLS

typedef struct BerthGuestAccess BerthGuestAccess;

/* @machine is borrowed. @changed is called when the answers have become others, not before this
 * returned. Errors: those of model/access.h and host_addresses.h. */
BerthGuestAccess *berth_guest_access_new(const BerthMachine *machine,
                                         void (*changed)(gpointer user_data), gpointer user_data,
                                         GError **error);
/* Whether this host's kernel, whose setting @path is (BERTH_GUEST_ACCESS_PING), sends pings for us.
 */
#define BERTH_GUEST_ACCESS_PING "/proc/sys/net/ipv4/ping_group_range"
bool berth_guest_access_may_ping(const char *path);

void berth_guest_access_free(BerthGuestAccess *access);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthGuestAccess, berth_guest_access_free)

/* Borrowed, until the next change. */
const BerthAccess *berth_guest_access_get(const BerthGuestAccess *access);

/* What the registry allows from now on: ports, or "all". Errors: those of model/access.h. */
bool berth_guest_access_set_allowed(BerthGuestAccess *access, const char *ports, GError **error);

/* Allow one port more until the distro stops.
 * Errors: BERTH_ERROR_DENIED, "instance.isolated"; BERTH_ERROR_INVALID, "access.ports". */
bool berth_guest_access_allow(BerthGuestAccess *access, guint16 port, GError **error);

/* Those that were allowed so, numbers and commas, or "". Free with g_free. */
char *berth_guest_access_temporary(const BerthGuestAccess *access);

/* The guest tried this port in vain: a line for the user, or NULL when it was said before
 * or too much was said. Free
 * with g_free. */
char *berth_guest_access_refused_line(BerthGuestAccess *access, guint16 port);

G_END_DECLS
