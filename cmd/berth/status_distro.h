/* SPDX-License-Identifier: MIT
 *
 * status_distro — what `berth status NAME` prints.
 */
#pragma once

#include "berth.h"

/* Print @state to standard output, for people or for programs. */
void status_distro_print(const BerthIdleState *state, bool json);
