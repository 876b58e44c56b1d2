/* SPDX-License-Identifier: MIT
 *
 * in_place — whether a file that somebody else made can be a distro's disk as it is: ext4_check,
 * and for any other file the name of what it is instead.
 *
 * Errors: those of ext4_check; BERTH_ERROR_INVALID, "import.in-place.not-ext4".
 */
#pragma once

#include "disk/ext4/ext4_check.h"

G_BEGIN_DECLS

/* Check the image @fd, which is called @name in messages. Nothing is written, no path opened. */
bool berth_in_place_check(int fd, const char *name, BerthExt4Facts *ret_facts, GError **error);

G_END_DECLS
