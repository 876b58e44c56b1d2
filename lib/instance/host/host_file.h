/* SPDX-License-Identifier: MIT
 *
 * host_file — follows a small text file of the host: resolv.conf, /etc/hosts.
 *
 * Sees the file rewritten or replaced, also behind symbolic links: inotify watches the file and
 * every directory on the way to it, or the nearest one that exists.
 *
 * On the thread-default GMainContext. A file that cannot be read is empty. Without inotify the text
 * keeps its first value.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct BerthHostFile BerthHostFile;

/* @path may be NULL: always empty. @on_change is called when the text changes, never from within
 * this function. */
BerthHostFile *berth_host_file_new(const char *path, void (*on_change)(gpointer user_data),
                                   gpointer user_data);
void berth_host_file_free(BerthHostFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthHostFile, berth_host_file_free)

/* Borrowed, until it changes. */
const char *berth_host_file_text(const BerthHostFile *file);

G_END_DECLS
