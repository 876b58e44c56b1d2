/* SPDX-License-Identifier: MIT
 *
 * swap — compressed swap in the distro's own memory (zram), in a device of its own: zram0 is left
 * for the distro.
 */
#pragma once

#include <stdint.h>

/* Add swap of @size bytes, uncompressed. It is used before other swap, as what zram-generator
 * makes. 0, or -errno with the failed step in *ret_what (a constant). */
int swap_add(uint64_t size, const char **ret_what);

/* Write the header of mkswap(8) for swap of @size bytes to the begin of @fd. 0, or -errno. */
int swap_write_header(int fd, uint64_t size);
