/* SPDX-License-Identifier: MIT
 *
 * stop — distros powered off, all at once: in good order while their keepers answer, and by force
 * where one does not.
 */
#pragma once

#include "handle.h"

G_BEGIN_DECLS

typedef struct {
    bool force;    /* do not ask the guest */
    int grace_sec; /* seconds until it is forced; -1: the setting */
    /* Called for each distro that did not run, once all are done with; may be NULL. */
    void (*not_running)(const char *name, gpointer user_data);
    gpointer user_data;
} BerthStopOptions;

/* Stop @names (NULL: all there are); returns when every one has stopped. One that is not running is
 * no error; the first error is reported when all are done with. */
bool berth_stop_distros(Berth *berth, const char *const *names, const BerthStopOptions *stop,
                        GError **error);

G_END_DECLS
