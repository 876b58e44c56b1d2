/* SPDX-License-Identifier: MIT */
#include "in_place.h"

#include "base/error.h"
#include "disk/archive/format_probe.h"

#include <errno.h>
#include <unistd.h>

#define HEAD_SIZE 65536

/* Set @error: not an ext4 image, with the format's name if @head identifies it. */
static void refuse(const char *name, const guint8 *head, gsize size, GError **error)
{
    const char *hint = "import an archive without --in-place: that makes an image";
    bool is_compressed = berth_format_compression(head, size) != BERTH_COMPRESSION_NONE;
    const char *kind = is_compressed ? "compressed" : berth_format_describe(head, size, &hint);
    berth_error_set(error, BERTH_ERROR_INVALID, "import.in-place.not-ext4", hint,
                    "%s: not an ext4 image%s%s", name, kind != NULL ? ": it is " : "",
                    kind != NULL ? kind : "");
}

bool berth_in_place_check(int fd, const char *name, BerthExt4Facts *ret_facts, GError **error)
{
    g_autofree guint8 *head = g_malloc0(HEAD_SIZE);
    ssize_t size = pread(fd, head, HEAD_SIZE, 0);
    if (size < 0) {
        berth_error_set_errno(error, errno, "import.in-place", "%s", name);
        return false;
    }
    if (!berth_ext4_check_head(head, (gsize)size)) {
        refuse(name, head, (gsize)size, error);
        return false;
    }
    return berth_ext4_check(fd, name, ret_facts, error);
}
