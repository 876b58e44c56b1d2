/* SPDX-License-Identifier: MIT
 *
 * process — a process that a file names, and no other that has its number by now; and the search
 * for the process that has something open.
 *
 * A number is a process's only for its life; number and start time together are for ever. So a file
 * has both ("4711 123456"), and what is done to the process is done through a pidfd that was opened
 * before the two were compared.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* When @pid was started, in clock ticks since the host's boot; 0 when there is no such process. */
guint64 berth_process_started(pid_t pid);

/* The program name of the process whose directory is @process ("/proc/4711"), with ? for all that
 * is not printable ASCII, since a process chooses its own; "a process" when it cannot be read. Free
 * with g_free. */
char *berth_process_name(const char *process);

/* The next process of an open /proc, its number as text; borrowed until the next call. NULL at the
 * end, and for a NULL @proc. */
const char *berth_process_next(GDir *proc);

/* Whether @matches holds for one of the descriptors of the process whose directory is @process,
 * each told by its link ("/proc/4711/fd/3"). False where this user may not look at them. */
bool berth_process_any_fd(const char *process,
                          bool (*matches)(const char *link, gconstpointer data),
                          gconstpointer data);

/* This process as the words of a file, with a newline; free with g_free. */
char *berth_process_format(void);

/* The process of the words at the beginning of the file @fd, as a pidfd, close-on-exec; -1 when it
 * has ended, or for other words. *@ret_pid, which may be NULL, is 0 then. */
int berth_process_open_from(int fd, pid_t *ret_pid);

G_END_DECLS
