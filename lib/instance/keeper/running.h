/* SPDX-License-Identifier: MIT
 *
 * running — which distros of this user run, by name and slot, as they come and go.
 *
 * Every keeper has a directory below the runtime directory (runtime.h): it is running once its pid
 * is in the lock there, and for as long as that process lives. Both are events, of inotify and of a
 * pidfd; nobody is asked and nothing is polled. Of machine.conf only what is needed is read, so
 * that one of another version is understood. A distro without a slot is passed over.
 *
 * On the thread-default GMainContext.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct BerthRunning BerthRunning;

/* @slot is from 1 on, @name "" when that distro has stopped. */
typedef void (*BerthRunningChange)(guint slot, const char *name, gpointer user_data);

/* @on_change is called for each distro that runs already, from within this, and later for each that
 * starts or stops. The caller's own is one of them. */
BerthRunning *berth_running_new(const char *runtime_dir, BerthRunningChange on_change,
                                gpointer user_data);
void berth_running_free(BerthRunning *running);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthRunning, berth_running_free)

G_END_DECLS
