/* SPDX-License-Identifier: MIT
 *
 * offer — which of the client's variables this distro supports. A TERM without a terminfo entry
 * breaks full-screen programs, and a LANG without its locale causes warnings: such values are not
 * passed on.
 */
#pragma once

#include <stdbool.h>

/* Whether the distro supports @pair ("NAME=value") of TERM, LANG or LC_*. True for other names. */
bool offer_is_known(const char *pair);
