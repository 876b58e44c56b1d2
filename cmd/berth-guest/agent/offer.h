/* SPDX-License-Identifier: MIT
 *
 * offer — which of the client's variables mean something in this distro. A TERM without an entry in
 * the distro's terminfo breaks every program on the screen, a LANG without its locale makes them
 * complain: both are better left as the distro has them.
 */
#pragma once

#include <stdbool.h>

/* Whether the distro can do with @pair, "NAME=value": TERM, LANG and LC_*. Of others it is true. */
bool offer_is_known(const char *pair);
