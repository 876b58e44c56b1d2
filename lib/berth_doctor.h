/* SPDX-License-Identifier: MIT
 *
 * berth_doctor — the examination of this host. A part of the public interface (berth.h).
 */
#pragma once

#include "berth_handle.h"

G_BEGIN_DECLS

typedef struct {
    const char *name;    /* of the check; static */
    const char *verdict; /* "ok", "warning" or "problem"; static */
    bool is_problem;
    char *text;    /* one line */
    char *command; /* that mends it, or what to do; NULL: nothing to do */
    char *fixed;   /* what @fix did about it; or NULL */
} BerthFinding;

void berth_finding_free(BerthFinding *finding); /* NULL is allowed */

/* Examine the host, the installation and this user's data. Needs no handle, and never fails.
 * Changes nothing but the cached proof of the accelerator; with @fix it removes what killed
 * processes left and cached answers, never a disk. @progress (or NULL) gets a line before what
 * takes seconds. Returns BerthFinding *; free with g_ptr_array_unref. */
GPtrArray *berth_doctor(const char *const *environment, bool fix,
                        void (*progress)(const char *line, gpointer user_data), gpointer user_data);

G_END_DECLS
