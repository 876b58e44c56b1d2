/* SPDX-License-Identifier: MIT
 *
 * probe — the carrier's own request to berth-share, a STATFS of the root. Its answer shows that the
 * host has read all before it, and it is no use of the shares.
 */
#pragma once

#include <stdint.h>

/* The number of the request, which no request of the kernel's has. */
#define WIRE_PROBE_UNIQUE (UINT64_MAX - 1)
