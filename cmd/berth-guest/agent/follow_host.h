/* SPDX-License-Identifier: MIT
 *
 * follow_host — applies the host's changes to the running distro: its clock and time zone, its
 * names, its route, its swap and the paths of its shares.
 *
 * Each function handles a frame of its type. A malformed frame is ignored; a failure is logged.
 */
#pragma once

#include "agent.h"

void follow_host_clock(const AgentOptions *options, const WireFrame *frame);
void follow_host_names(const AgentOptions *options, const WireFrame *frame);
void follow_host_route(const AgentOptions *options, const WireFrame *frame);
void follow_host_swap(const AgentOptions *options, const WireFrame *frame);
void follow_host_shares(const AgentOptions *options, const WireFrame *frame);
