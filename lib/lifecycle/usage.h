/* SPDX-License-Identifier: MIT
 *
 * usage — what the processes of a distro take of this host, as its kernel counts it.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    guint64 memory;         /* bytes, shared ones divided among their users (PSS) */
    guint64 processor_usec; /* of all processors, since the processes began */
} BerthUsage;

/* The usage of the process @pid and of its children; zero for those that have ended or may not be
 * looked at, so that the sum may also fall. Cannot fail. */
BerthUsage berth_usage_read(guint pid);

G_END_DECLS
