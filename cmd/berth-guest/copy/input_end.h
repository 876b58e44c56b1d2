/* SPDX-License-Identifier: MIT
 *
 * input_end — a signal ends the standard input, so that a program which reads it ends in order, and
 * removes what it has made.
 */
#pragma once

/* From now on SIGHUP, SIGINT, SIGTERM and SIGQUIT interrupt a read of the standard input, which is
 * then at its end. */
void input_end_on_signals(void);
