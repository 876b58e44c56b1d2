/* SPDX-License-Identifier: MIT
 *
 * open_tar — a tar on a descriptor, which stays the caller's.
 */
#pragma once

#include "disk/archive/tar.h"

static inline BerthTar *open_tar(int fd, const char *name, GError **error)
{
    BerthStream *stream = berth_stream_open(berth_source_new(fd), name, error);
    if (stream != NULL)
        return berth_tar_open(stream, name, error);
    g_prefix_error(error, "%s: ", name);
    return NULL;
}
