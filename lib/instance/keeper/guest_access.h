/* SPDX-License-Identifier: MIT
 *
 * guest_access — the host ports and addresses a running distro may connect to now (model/access.h).
 *
 *     berth.conf                        as of the distro's start
 *     `berth host allow` and `deny`     take effect at once
 *     ports allowed until it stops      such as a proxy's
 *     the host's own addresses          for an isolated distro, followed as they change
 *
 * On the thread-default GMainContext.
 */
#pragma once

#include "model/access.h"
#include "model/machine.h"

G_BEGIN_DECLS

typedef struct BerthGuestAccess BerthGuestAccess;

/* @machine is borrowed. @changed is called after each change, never from within this function.
 * Errors: those of model/access.h and host_addresses.h. */
BerthGuestAccess *berth_guest_access_new(const BerthMachine *machine,
                                         void (*changed)(gpointer user_data), gpointer user_data,
                                         GError **error);
/* Whether this host's kernel, whose setting @path is (BERTH_GUEST_ACCESS_PING), allows us to
 * ping. */
#define BERTH_GUEST_ACCESS_PING "/proc/sys/net/ipv4/ping_group_range"
bool berth_guest_access_may_ping(const char *path);

void berth_guest_access_free(BerthGuestAccess *access);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthGuestAccess, berth_guest_access_free)

/* Borrowed, until the next change. */
const BerthAccess *berth_guest_access_get(const BerthGuestAccess *access);

/* Replace the registry's list of ports, or "all". Errors: those of model/access.h. */
bool berth_guest_access_set_allowed(BerthGuestAccess *access, const char *ports, GError **error);

/* Allow one more port until the distro stops. Errors: BERTH_ERROR_DENIED, "instance.isolated";
 * BERTH_ERROR_INVALID, "access.ports". */
bool berth_guest_access_allow(BerthGuestAccess *access, guint16 port, GError **error);

/* The ports of berth_guest_access_allow, "8080,3128" or "". Free with g_free. */
char *berth_guest_access_temporary(const BerthGuestAccess *access);

/* berth-net refused the guest a connection to @port: the line for the user, or NULL when the port
 * was reported before or too many were. Free with g_free. */
char *berth_guest_access_refused_line(BerthGuestAccess *access, guint16 port);

G_END_DECLS
