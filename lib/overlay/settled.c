/* SPDX-License-Identifier: MIT
 *
 * Each change is a text with its NUL: 'a' or 'd', a digit for the kind, '/' or '-', the path.
 */
#include "settled.h"

#include "overlay_private.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define NAME "settled"
#define HEAD 3u /* bytes before the path */

bool berth_overlay_add_settled(const BerthOverlay *overlay, const BerthOverlayChange *change,
                               bool accepted, GError **error)
{
    g_autofree char *text = g_strdup_printf("%c%u%c%s", accepted ? 'a' : 'd', (guint)change->kind,
                                            change->is_directory ? '/' : '-', change->path);
    gsize size = strlen(text) + 1;
    berth_autofd int fd =
        openat(overlay->dir, NAME, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && write(fd, text, size) == (ssize_t)size)
        return true;
    berth_error_set_errno(error, errno, "overlay.settled", "%s", change->path);
    return false;
}

static void settled_free(BerthOverlaySettled *settled)
{
    g_free(settled->path);
    g_free(settled);
}

static void parse(const char *text, GPtrArray *list)
{
    if (strlen(text) <= HEAD || text[1] < '0' || text[1] > '0' + BERTH_CHANGE_MODE)
        return;
    BerthOverlaySettled *settled = g_new(BerthOverlaySettled, 1);
    *settled = (BerthOverlaySettled){.path = g_strdup(text + HEAD),
                                     .kind = (BerthChangeKind)(text[1] - '0'),
                                     .is_directory = text[2] == '/',
                                     .accepted = text[0] == 'a'};
    g_ptr_array_add(list, settled);
}

GPtrArray *berth_overlay_take_settled(const BerthOverlay *overlay)
{
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)settled_free);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    berth_autofd int fd = openat(overlay->dir, NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    guint8 part[4096];
    ssize_t size;
    while (fd >= 0 && (size = read(fd, part, sizeof(part))) > 0)
        g_byte_array_append(bytes, part, (guint)size);
    g_byte_array_append(bytes, (const guint8 *)"", 1); /* ends what a killed process has begun */
    for (guint at = 0; at < bytes->len; at += (guint)strlen((const char *)bytes->data + at) + 1)
        parse((const char *)bytes->data + at, list);
    unlinkat(overlay->dir, NAME, 0);
    return list;
}
