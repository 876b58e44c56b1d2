/* SPDX-License-Identifier: MIT
 *
 * host_desk — the user's desktop, session bus and key agent, for commands that run on the host at
 * the guest's request: these variables of the last client that opened a session and has some.
 *
 * A keeper outlives logins and has none of its own (client/detach.h). A client without any, as in
 * a cron job, changes nothing.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

typedef struct BerthHostDesk BerthHostDesk;

BerthHostDesk *berth_host_desk_new(void);
void berth_host_desk_free(BerthHostDesk *desk);

/* Take the variables of @pid, a client that is connected. */
void berth_host_desk_follow(BerthHostDesk *desk, pid_t pid);

/* The value of @name, or NULL. */
const char *berth_host_desk_get(const BerthHostDesk *desk, const char *name);

/* "NAME=value", or an empty list. */
const char *const *berth_host_desk_environment(const BerthHostDesk *desk);

G_END_DECLS
