/* SPDX-License-Identifier: MIT
 *
 * confine_share — the sandbox of berth-share: the shared directories, the guest's port, and no
 * network, no program, no other path.
 *
 * Landlock keeps what is opened, made, removed and renamed within the shares. It has no say in
 * chmod, utimes and extended attributes; those are done only to files that were opened.
 */
#pragma once

#include "sandbox/sandbox.h"

G_BEGIN_DECLS

/* Descriptors above @last_fd are closed. Errors: as berth_sandbox_enter, "share.confine". */
bool berth_share_confine(int last_fd, const BerthSandboxPath *paths, gsize n_paths, GError **error);

G_END_DECLS
