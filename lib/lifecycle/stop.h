/* SPDX-License-Identifier: MIT
 *
 * stop — powers off distros in parallel: cleanly if the keeper answers, otherwise by force.
 */
#pragma once

#include "handle.h"

G_BEGIN_DECLS

typedef struct {
    bool force;    /* do not ask the guest to power off */
    int grace_sec; /* seconds until it is forced; -1: as set in berth.conf */
    /* Called at the end for each distro that was not running; may be NULL. */
    void (*not_running)(const char *name, gpointer user_data);
    /* The same for each that was parked without a keeper: its memory was removed. */
    void (*was_parked)(const char *name, gpointer user_data);
    gpointer user_data;
} BerthStopOptions;

/* Stop the distros @names (NULL: all); returns when all have stopped. Stopping one that is not
 * running is not an error. After errors the others are still stopped; the first error is
 * reported. */
bool berth_stop_distros(Berth *berth, const char *const *names, const BerthStopOptions *stop,
                        GError **error);

G_END_DECLS
