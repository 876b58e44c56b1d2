/* SPDX-License-Identifier: MIT
 *
 * error_hints — what to do next, for errors whose hint needs nothing from the place where they
 * occur.
 *
 * error.c asks here for each error that is set without a hint. An error that can name the user's own
 * distro or file has a hint of its own; tests/hints says which ids may have none at all, and why.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The hint for errors with @id, or NULL. Static. */
const char *berth_error_hints_find(const char *id);

G_END_DECLS
