/* SPDX-License-Identifier: MIT
 *
 * ssh_proxy — the connection of one OpenSSH client to a server in a distro.
 *
 * Three commands of the guest's agent, each a session: one checks whether it can serve the user,
 * one takes the server that berth lends where the distro has none, and one is the server.
 */
#pragma once

#include "handle.h"

G_BEGIN_DECLS

/* Be the connection of one ssh client, on the first two of @streams, to the user @user of @name
 * (with or without ".berth"), which is started when it is not running. The server's complaints go
 * to the third of @streams, and lines about the start to the handle's `waiting`. Returns at the end
 * of the connection. Errors: also "ssh.user", "ssh.no-server", "ssh.guest", "session.*". */
bool berth_ssh_proxy_run(Berth *berth, const char *name, const char *user, const int streams[3],
                         GError **error);

G_END_DECLS
