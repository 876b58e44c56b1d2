/* SPDX-License-Identifier: MIT
 *
 * free_later — removes a large file without a wait for the file system, which frees its blocks when
 * the last descriptor is closed: seconds where a file has many extents.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Have a process of its own keep the file at @path open until the returned descriptor is closed,
 * which is done after the removal: then that process closes the file. It has nothing else of this
 * one's, and nothing is left if it is killed. Where that cannot be done the result is -1, and the
 * removal waits. */
int berth_free_later(const char *path);

G_END_DECLS
