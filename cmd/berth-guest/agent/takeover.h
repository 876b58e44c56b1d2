/* SPDX-License-Identifier: MIT
 *
 * takeover — the guest goes on with another keeper, from a saved memory that others may go on from,
 * too: as the same distro, or as a clone of it.
 *
 * All of it is done while the distro's processes are frozen. What they have read of the former
 * identity they keep; a running sshd is told to read its keys again.
 */
#pragma once

#include "agent.h"

/* Renew the kernel's random numbers, and become the distro that @config is of: host name,
 * machine-id, ssh host keys and the IPv6 address where they differ. Without options->config (a
 * rescue, a test) nothing but the first. Failures are logged. */
void takeover_begin(const AgentOptions *options, const Config *config);
