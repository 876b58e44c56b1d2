/* SPDX-License-Identifier: MIT
 *
 * json_check — whether bytes are one JSON text by RFC 8259, within limits. Pure; needs no parser.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* Check @text, of @size bytes. False with *ret_problem: the path of the value at fault and what is
 * wrong, as in "layers[2].size: a number is too large"; free with g_free. At fault are, beside
 * what the grammar excludes: bytes that are no UTF-8, more than @depth_max nested objects and
 * lists, a key that is twice in an object, integers beyond 64 bits, numbers that no double holds,
 * and half a surrogate pair. *ret_nul: a string has U+0000; NULL: that is a fault, too. */
bool berth_json_check(const char *text, gsize size, guint depth_max, bool *ret_nul,
                      char **ret_problem);

G_END_DECLS
