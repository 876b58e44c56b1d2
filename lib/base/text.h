/* SPDX-License-Identifier: MIT
 *
 * text — sanitises text from a guest, an emulator or an archive for storage and display.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The first @max bytes of @text, cut between two characters, as one line of valid UTF-8: invalid
 * bytes become U+FFFD, control characters spaces. Free with g_free. */
char *berth_text_clean(const char *text, gsize max);

/* @path for a message: control characters and invalid UTF-8 as \ooo, and "..." for everything after
 * 200 bytes. The empty path is "/". Free with g_free. */
char *berth_text_escape(const char *path);

/* The same without a limit, for lists. */
char *berth_text_escape_whole(const char *path);

G_END_DECLS
