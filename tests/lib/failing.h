/* SPDX-License-Identifier: MIT
 *
 * failing — calls that take memory or a descriptor and fail, one after the other.
 *
 * The test is linked with -Wl,--wrap for each of failing_calls (tests/unit/meson.build), so this
 * covers the calls of our own code, not those that libraries make for it. Not for threads.
 */
#pragma once

#include <glib.h>

/* What a test does. It frees and closes all it has got, whether that worked or not. */
typedef void (*FailingRun)(gpointer data);

/* Call @run until none of its calls is left to fail: once as it is (libraries open descriptors for
 * good at their first use), then with the first one failing, then with the
 * second, and so on; then the same with all calls after that one failing, too. A run that leaves
 * memory or a descriptor behind ends the program with the name of the call that had failed. Returns
 * the number of calls of a run in which nothing failed. */
guint failing_each(FailingRun run, gpointer data);

/* The same, but never with more than one call failing: for a @run that waits until it works. */
guint failing_each_once(FailingRun run, gpointer data);
