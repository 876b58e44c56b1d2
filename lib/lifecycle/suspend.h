/* SPDX-License-Identifier: MIT
 *
 * suspend — suspends distros, and parks them; keepers wake them at the next request that needs them.
 */
#pragma once

#include "handle.h"

G_BEGIN_DECLS

typedef struct {
    bool park; /* and park their memory */
    /* Called at the end for each distro that was not running; may be NULL. */
    void (*not_running)(const char *name, gpointer user_data);
    gpointer user_data;
} BerthSuspendOptions;

/* Suspend the distros @names (NULL: all that run); returns when all are. After errors the others are
 * still suspended; the first error is reported. Errors: of berth_request_suspend,
 * berth_request_park. */
bool berth_suspend_distros(Berth *berth, const char *const *names,
                           const BerthSuspendOptions *options, GError **error);

G_END_DECLS
