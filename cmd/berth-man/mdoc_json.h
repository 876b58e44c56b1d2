/* SPDX-License-Identifier: MIT
 *
 * mdoc_json — berth-json(5): the objects that commands print with --json, from their schemas. The
 * tests check that the schemas have the form that this expects.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Append the page made of @directory/NAME.json. Errors: a file that cannot be read or is no JSON.
 */
bool mdoc_add_json(GString *page, const char *directory, GError **error);
