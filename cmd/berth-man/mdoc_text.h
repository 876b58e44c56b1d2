/* SPDX-License-Identifier: MIT
 *
 * mdoc_text — plain text as mdoc(7) source, appended to a page of the caller.
 */
#pragma once

#include <glib.h>

/* The first @length bytes of @text; in mdoc a backslash begins an escape. */
void mdoc_add_escaped(GString *page, const char *text, gsize length);

/* @text as a line of its own, which is no macro whatever it begins with. */
void mdoc_add_line(GString *page, const char *text);

/* @text, to be filled: a line for each sentence, as mdoc wants it, and none too long. */
void mdoc_add_text(GString *page, const char *text);

/* The same of @text without its full stop. */
void mdoc_add_sentence(GString *page, const char *text);

/* The head of the page @name(@section), with its NAME. */
void mdoc_add_head(GString *page, const char *name, guint section, const char *summary);
