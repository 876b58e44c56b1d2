/* SPDX-License-Identifier: MIT
 *
 * follow_host — applies the host's changes to the running distro: its clock and time zone, its
 * names, its route, its swap and the paths of its shares.
 *
 * A malformed frame is ignored; a failure is logged.
 */
#pragma once

#include "agent.h"

/* Handle CLOCK, NAMES, ROUTE, SWAP and SHARES; nothing happens at another frame. */
void follow_host(const AgentOptions *options, const WireFrame *frame);
