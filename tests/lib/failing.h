/* SPDX-License-Identifier: MIT
 *
 * failing — makes calls that take memory, descriptors, watches or processes fail, one after the
 * other.
 *
 * The test is linked with -Wl,--wrap for each of failing_calls (tests/unit/meson.build), so this
 * covers our own code's calls, not those inside libraries. Not thread-safe.
 */
#pragma once

#include <glib.h>

/* The code under test. It must free and close everything it allocated, whether it succeeded or
 * not. */
typedef void (*FailingRun)(gpointer data);

/* Call @run until no call is left to fail: once without failures (libraries open permanent
 * descriptors on first use), then with the first call failing, then with the second, and so on;
 * then again with that call and all later ones failing. Ends the program with the name of the
 * failed call if a run leaks memory or a descriptor. Returns the number of calls of a run without
 * failures. */
guint failing_each(FailingRun run, gpointer data);

/* As failing_each, with single failures only: for a @run that retries until it succeeds. */
guint failing_each_once(FailingRun run, gpointer data);
