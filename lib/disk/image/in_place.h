/* SPDX-License-Identifier: MIT
 *
 * in_place — checks whether a foreign file can be used as a distro's disk in place (ext4_check); an
 * error names its actual format.
 *
 * Errors: those of ext4_check; BERTH_ERROR_INVALID, "import.in-place.not-ext4".
 */
#pragma once

#include "disk/ext4/ext4_check.h"

G_BEGIN_DECLS

/* Check the image @fd; @name names it in messages. Writes nothing and opens no path. */
bool berth_in_place_check(int fd, const char *name, BerthExt4Facts *ret_facts, GError **error);

G_END_DECLS
