/* SPDX-License-Identifier: MIT
 *
 * host_file — a small text file of the host's, followed as it changes: resolv.conf, /etc/hosts.
 *
 * It may be replaced, rewritten, or be a link whose target is; every directory on the way to it is
 * watched, or the nearest one that exists, and so is the file itself.
 *
 * On the thread-default GMainContext. A file that cannot be read is empty. Where inotify is not to
 * be had the text stays what it was at first.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct BerthHostFile BerthHostFile;

/* @path may be NULL: then it is empty for ever. @on_change is called when the text is another than
 * before; never from within this. */
BerthHostFile *berth_host_file_new(const char *path, void (*on_change)(gpointer user_data),
                                   gpointer user_data);
void berth_host_file_free(BerthHostFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthHostFile, berth_host_file_free)

/* Borrowed, until it changes. */
const char *berth_host_file_text(const BerthHostFile *file);

G_END_DECLS
