/* SPDX-License-Identifier: MIT
 *
 * ext4_space — returns unused blocks of an ext4 image to the host.
 *
 * For unmounted images; descriptors only. Blocking.
 */
#pragma once

#include "base/progress.h"

G_BEGIN_DECLS

/* Punch holes into the image @fd (open for writing) for its free blocks and for the journal's
 * completed transactions. Interrupting it at any moment is safe: no file changes. Progress is in
 * bytes of the image. Errors: BERTH_ERROR_INVALID, "compact.unclean" when the journal has to be
 * replayed or there are errors, "compact.damaged"; errno's, "compact.*"; BERTH_ERROR_CANCELLED,
 * "compact.cancelled". */
bool berth_ext4_space_punch(int fd, const char *what, BerthProgressFunc progress,
                            gpointer user_data, GError **error);

G_END_DECLS
