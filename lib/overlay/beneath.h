/* SPDX-License-Identifier: MIT
 *
 * beneath — opens files below a directory that the caller has open, and nowhere else.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Open the file at @path below @root with O_PATH: no link on the way is followed, nor the last one.
 * Returns a descriptor, or -errno: -ELOOP for a link on the way, -EXDEV outside of @root. */
int berth_beneath_open(int root, const char *path);

G_END_DECLS
