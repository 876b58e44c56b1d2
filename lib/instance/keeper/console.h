/* SPDX-License-Identifier: MIT
 *
 * console — a distro's console output in a log of bounded size.
 *
 * The log is <path> and <path>.old, each at most half of the limit: a full <path> is renamed to
 * <path>.old. On the thread-default GMainContext.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct BerthConsole BerthConsole;

/* @limit is the bytes of both files together. Write errors are ignored: they must not end the
 * instance. */
BerthConsole *berth_console_new(const char *path, guint64 limit);
void berth_console_free(BerthConsole *console);

/* Log what @fd (taken) delivers until EOF. Replaces an earlier fd. */
void berth_console_attach(BerthConsole *console, int fd);

/* The guest kernel's panic message, or NULL. Drains the present fd first. Borrowed until the next
 * call. */
const char *berth_console_panic(BerthConsole *console);

/* Append a line of the keeper's own. */
void berth_console_log(BerthConsole *console, const char *format, ...) G_GNUC_PRINTF(2, 3);

G_END_DECLS
