/* SPDX-License-Identifier: MIT
 *
 * copy — files between this host and distros, or from one distro to another, over sessions.
 *
 * The host's end walks or creates in the caller's thread; each distro's session has a thread of its
 * own. The caller ignores SIGPIPE.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* A distro, or this host. */
typedef struct {
    int connection;   /* of berth_start_connect, borrowed; -1: this host */
    const char *name; /* of the distro, for messages */
} BerthCopyPlace;

typedef struct {
    BerthCopyPlace from;
    const char *const
        *sources; /* paths, NULL-terminated; in a distro relative ones start at home */
    BerthCopyPlace to;
    const char *target;
    const char *user; /* in the distros; NULL: the default user */
    bool recursive;
    /* bytes so far, and of all or 0; false cancels. May be NULL */
    bool (*progress)(guint64 done, guint64 total, gpointer user_data);
    /* A line for the user: an entry that was left out on purpose, each that could not be copied
     * where there are several, or what delays a distro. From any thread. */
    void (*line)(const char *text, gpointer user_data);
    gpointer user_data;
} BerthCopyOptions;

/* False when something could not be copied; the rest was. Errors: "cp.*" with the step, and
 * "cp.incomplete" for several; "cp.interrupted", "cp.ended", "cp.protocol", "cp.old-guest";
 * "session.*". */
bool berth_copy_run(const BerthCopyOptions *copy, GError **error);

G_END_DECLS
