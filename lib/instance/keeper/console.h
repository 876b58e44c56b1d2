/* SPDX-License-Identifier: MIT
 *
 * console — a distro's console output, kept in a bounded log.
 *
 * The log is two files: <path>, and <path>.old with what came before it. Each holds at most half of
 * the limit; when <path> is full it becomes <path>.old. On the thread-default GMainContext.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct BerthConsole BerthConsole;

/* @limit is bytes for both files together. A log that cannot be written is not kept, and that is
 * no error: the instance is worth more. */
BerthConsole *berth_console_new(const char *path, guint64 limit);
void berth_console_free(BerthConsole *console);

/* Log what comes from @fd, which is taken, until it ends. Replaces an earlier one. */
void berth_console_attach(BerthConsole *console, int fd);

/* Why the guest's kernel gave up, in its own words, or NULL if it did not. Of the present fd: what
 * was written to it before it ended counts. Borrowed until the next call. */
const char *berth_console_panic(BerthConsole *console);

/* Log a line of our own. */
void berth_console_log(BerthConsole *console, const char *format, ...) G_GNUC_PRINTF(2, 3);

G_END_DECLS
