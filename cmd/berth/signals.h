/* SPDX-License-Identifier: MIT
 *
 * signals — how a command ends on SIGINT, SIGTERM, SIGHUP or SIGQUIT.
 *
 * By default it ends at once. A command that would leave half-finished state catches the signals:
 * its work polls stop_asked and cleans up. Either way the process dies by the signal, so that a
 * shell or timeout(1) sees the cause. Signals ignored at start (nohup(1)) stay ignored.
 *
 * Signal dispositions belong to the process, so this module keeps global state.
 */
#pragma once

#include <stdbool.h>

/* Whether @number is ignored, which we inherited. */
bool stop_is_ignored(int number);

/* Catch the signals: they set stop_asked and call @hook (may be NULL, async-signal-safe) in the
 * handler. If the work has not ended after a grace period, the signal ends the process. */
void stop_catch(void (*hook)(void));
bool stop_asked(void);

/* Record that @number, caught elsewhere, ends the command. */
void stop_record(int number);

/* Call last: if a signal stopped the command, ends the process by it and does not return. */
void stop_finish(void);
