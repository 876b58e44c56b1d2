/* SPDX-License-Identifier: MIT
 *
 * running — follows which distros of this user run, by name and slot.
 *
 * Every keeper has a directory below the runtime directory (runtime.h). A distro runs from when the
 * keeper's pid is in the lock there until that process ends: inotify and a pidfd report both,
 * nothing is polled. Only name and slot are read from machine.conf, so that a keeper of another
 * version is understood. Distros without a slot are skipped.
 *
 * On the thread-default GMainContext.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct BerthRunning BerthRunning;

/* @slot is at least 1; @name is "" when that distro has stopped. */
typedef void (*BerthRunningChange)(guint slot, const char *name, gpointer user_data);

/* Calls @on_change before it returns for each running distro, the caller's own included, and later
 * for each start and stop. */
BerthRunning *berth_running_new(const char *runtime_dir, BerthRunningChange on_change,
                                gpointer user_data);
void berth_running_free(BerthRunning *running);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthRunning, berth_running_free)

G_END_DECLS
