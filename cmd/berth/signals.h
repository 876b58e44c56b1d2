/* SPDX-License-Identifier: MIT
 *
 * signals — how a command ends when SIGINT, SIGTERM, SIGHUP or SIGQUIT asks for it.
 *
 * By default at once, as any program. A command that would leave something half-made catches them:
 * its work finds stop_asked and cleans up. In each case the process ends by the signal, so that a
 * shell or timeout(1) sees what happened. A signal that was ignored when berth was started
 * (nohup(1)) stays ignored.
 *
 * Signals are a process's, so this module keeps state of its own.
 */
#pragma once

#include <stdbool.h>

/* Whether @number is ignored, by the wish of whoever started us. */
bool stop_is_ignored(int number);

/* From now on a signal sets stop_asked and calls @also (may be NULL) in the handler. Work that has
 * not ended some seconds later is not going to: then the signal ends the process where it is. */
void stop_catch(void (*also)(void));
bool stop_asked(void);

/* The command ends because of @number, which somebody else has caught. */
void stop_note(int number);

/* Last: does not return when a signal is why the command ends. */
void stop_finish(void);
