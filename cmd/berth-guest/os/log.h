/* SPDX-License-Identifier: MIT
 *
 * log — lines for the console log.
 *
 * In the machine, standard error is /dev/kmsg, so that lines have timestamps and are in order with
 * the kernel's; elsewhere it is the inherited one. Each line is one write.
 */
#pragma once

/* Switch to the kernel's log, at a level the console shows even with `quiet`. */
void log_to_kernel(void);

__attribute__((format(printf, 1, 2))) void log_line(const char *format, ...);
