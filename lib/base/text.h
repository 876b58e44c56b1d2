/* SPDX-License-Identifier: MIT
 *
 * text — words from elsewhere (a guest, an emulator, an archive), made fit to be kept and shown.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The first @max bytes of @text, cut between two characters, as valid UTF-8 on one line: what is
 * not UTF-8 becomes U+FFFD, and control characters become spaces. Free with g_free. */
char *berth_text_clean(const char *text, gsize max);

/* @path as a message can show it: control characters and bytes that are not UTF-8 as \ooo, and
 * "..." in the place of all that follows 200 bytes. The empty path is "/". Free with g_free. */
char *berth_text_escape(const char *path);

G_END_DECLS
