/* SPDX-License-Identifier: MIT
 *
 * copy_session — the distro's end of a copy: a session with the guest's own program, in a thread.
 *
 * It reads and writes pipes. The thread closes its ends when the session is over, so that whoever
 * holds the other ends sees it.
 */
#pragma once

#include "copy.h"

G_BEGIN_DECLS

typedef struct BerthCopySession BerthCopySession;

/* Run the guest's program with @argv (NULL-terminated, after its own name) at @place, one of
 * @copy's. Takes @input (-1: nothing to read) and @output; @copy is borrowed until
 * berth_copy_session_end. */
BerthCopySession *berth_copy_session_start(const BerthCopyOptions *copy,
                                           const BerthCopyPlace *place, const char *const *argv,
                                           int input, int output);

/* End it; @now does not wait for the guest. NULL is allowed. True when the guest's program ended
 * well. Errors: "session.*", "cp.old-guest", "cp.ended"; none with @now. */
bool berth_copy_session_end(BerthCopySession *session, bool now, GError **error);

G_END_DECLS
