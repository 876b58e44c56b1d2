/* SPDX-License-Identifier: MIT
 *
 * watch — waits until the host changes a file that a suspended guest's processes watch.
 *
 * Between two servers of one guest: the ledger says where the files are, and is only read. The
 * directories below an overlay are the host's own, whatever the guest has changed in them.
 */
#pragma once

#include "serve.h"

G_BEGIN_DECLS

/* Confine this process and wait. @setup's port_fd is a file with a WireWatchList; the first change
 * since the time in it is reported, SHARE_REPORT_CHANGED, and ends the wait; so does the end of the
 * keeper. What is not there any more, or cannot be watched, is left out. Errors: "share.confine",
 * "share.ledger", "share.watch". */
bool berth_share_watch(const BerthShareSetup *setup, GError **error);

G_END_DECLS
