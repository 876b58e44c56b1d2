/* SPDX-License-Identifier: MIT
 *
 * ext4_space — giving back to the host what an ext4 image does not use.
 *
 * For images nobody has mounted; descriptors only. Blocking.
 */
#pragma once

#include "base/progress.h"

G_BEGIN_DECLS

/* Punch holes into the image @fd (open for writing) where its file system has nothing, and where
 * its journal has only what was done long ago: whatever moment it is stopped at, no file has
 * changed. Progress is in bytes of the image. Errors: BERTH_ERROR_INVALID, "compact.unclean" when
 * the journal has to be replayed or there are errors, "compact.damaged"; errno's, "compact.*";
 * BERTH_ERROR_CANCELLED, "compact.cancelled". */
bool berth_ext4_punch_free(int fd, const char *what, BerthProgressFunc progress, gpointer user_data,
                           GError **error);

G_END_DECLS
