/* SPDX-License-Identifier: MIT
 *
 * process — identifies a process in a file, safely against pid reuse; walks /proc; and sets the
 * signals of a child.
 *
 * A pid may be reused; pid and start time together are unique. So a file has both ("4711 123456"),
 * and the process is used only through a pidfd that was opened before the two were compared.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* The start time of @pid in clock ticks since the host's boot; 0 when there is no such process. */
guint64 berth_process_started(pid_t pid);

/* The program name of the process whose directory is @process ("/proc/4711"), with ? for bytes that
 * are not printable ASCII; "a process" when it cannot be read. Free with g_free. */
char *berth_process_name(const char *process);

/* The next pid of an open /proc, as text; borrowed until the next call. NULL at the end, and for a
 * NULL @proc. */
const char *berth_process_next(GDir *proc);

/* Whether @matches returns true for a descriptor of the process whose directory is @process; @link
 * is "/proc/4711/fd/3". False without permission to read them. */
bool berth_process_any_fd(const char *process,
                          bool (*matches)(const char *link, gconstpointer data),
                          gconstpointer data);

/* "PID STARTTIME\n" of this process; free with g_free. */
char *berth_process_format(void);

/* Open a pidfd, close-on-exec, for the process that the beginning of the file @fd names. -1 if it
 * has ended or the text is malformed; then *@ret_pid, which may be NULL, is 0. */
int berth_process_open_from(int fd, pid_t *ret_pid);
/* The same, for the text @words. */
int berth_process_open(const char *words, pid_t *ret_pid);

/* Begin a worker process that only its parent ends, by SIGKILL: ignore the signals of a terminal.
 * False if the parent, which reads the pipe @status_fd, ended before the parent-death signal was
 * set. */
bool berth_process_begin_worker(int status_fd);

/* Give each signal its default action and block none, for a program that outlives or must not
 * depend on its starter: exec keeps what was ignored or blocked. Async-signal-safe. */
void berth_process_reset_signals(void);

G_END_DECLS
