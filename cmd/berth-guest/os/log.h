/* SPDX-License-Identifier: MIT
 *
 * log — one line at a time for whoever looks at the console log.
 *
 * In the machine standard error is /dev/kmsg, so that lines have a time and a place among the
 * kernel's; elsewhere it is what the agent was started with. Each line is one write.
 */
#pragma once

/* Send lines to the kernel's log from now on, at a level the console shows even with `quiet`. */
void log_to_kernel(void);

__attribute__((format(printf, 1, 2))) void log_line(const char *format, ...);
