/* SPDX-License-Identifier: MIT
 *
 * berth_handle — the handle on one user's distros, and what all functions on it share. A part of
 * the public interface (berth.h).
 */
#pragma once

#include "base/error.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct Berth Berth;

/* Make a handle for the user and directories of @environment ("K=V" strings). Creates and opens no
 * file. Errors: "layout.home". */
Berth *berth_new(const char *const *environment, GError **error);
void berth_free(Berth *berth);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Berth, berth_free)

/* Call @line with a notice when a call starts to wait for a distro that is paused because the host
 * rejects its writes, and when the distro resumes. Called in any thread that waits. */
void berth_set_waiting(Berth *berth, void (*line)(const char *line, gpointer user_data),
                       gpointer user_data);

/* Call @line once for each line of berth.conf without effect, when a call first reads valid
 * settings. Called in the caller's thread. */
void berth_set_warning(Berth *berth, void (*line)(const char *line, gpointer user_data),
                       gpointer user_data);

/* "0.1.0" */
const char *berth_version(void);

/* The path of the program of `berth mcp`; free with g_free. */
char *berth_mcp_program(const Berth *berth);

/* The versions of the host-guest protocol, and of the control protocol between berth and a
 * keeper. */
guint berth_protocol_version(void);
guint berth_control_version(void);

/* Progress of long work; @bytes_total is 0 if unknown. Return false to cancel. */
typedef bool (*BerthWorkFunc)(guint64 bytes_done, guint64 bytes_total, gpointer user_data);

G_END_DECLS
