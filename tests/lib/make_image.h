/* SPDX-License-Identifier: MIT
 *
 * make_image — imports an archive into a named image in this process, as lib/manage does, without a
 * distro.
 */
#pragma once

#include "disk/image/image.h"

/* Make the image at @path, which must not exist, from the archive @name read from @fd; the rest as
 * for berth_image_write. */
bool make_image_report(int fd, const char *name, const char *path, guint64 size,
                       BerthProgressFunc progress, gpointer user_data, BerthImageReport *ret_report,
                       GError **error);

/* The same without a report. */
bool make_image(int fd, const char *name, const char *path, guint64 size,
                BerthProgressFunc progress, gpointer user_data, GError **error);
