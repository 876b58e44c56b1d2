/* SPDX-License-Identifier: MIT */
#include "holes.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Store the next part with blocks in [@at, @end), or @end twice if there is none. False: it cannot
 * be found out this way. */
typedef bool (*FindBlocks)(int fd, guint64 at, guint64 end, guint64 *ret_begin, guint64 *ret_end);

/* By the file system's own map, which has reserved blocks too. */
static bool find_extent(int fd, guint64 at, guint64 end, guint64 *ret_begin, guint64 *ret_end)
{
    union {
        struct fiemap map;
        char room[sizeof(struct fiemap) + sizeof(struct fiemap_extent)];
    } found;
    memset(&found, 0, sizeof(found));
    found.map.fm_start = at;
    found.map.fm_length = end - at;
    found.map.fm_extent_count = 1;
    if (ioctl(fd, FS_IOC_FIEMAP, &found.map) < 0)
        return false;
    *ret_begin = *ret_end = end;
    if (found.map.fm_mapped_extents == 0)
        return true;
    const struct fiemap_extent *extent = found.map.fm_extents;
    *ret_begin = CLAMP(extent->fe_logical, at, end);
    *ret_end = MIN(extent->fe_logical + extent->fe_length, end);
    return *ret_end > *ret_begin;
}

static bool find_data(int fd, guint64 at, guint64 end, guint64 *ret_begin, guint64 *ret_end)
{
    *ret_begin = *ret_end = end;
    off_t data = lseek(fd, (off_t)at, SEEK_DATA);
    if (data < 0 || (guint64)data >= end)
        return true;
    off_t hole = lseek(fd, data, SEEK_HOLE);
    *ret_begin = (guint64)data;
    *ret_end = hole < 0 ? (guint64)data : MIN((guint64)hole, end);
    return *ret_end > *ret_begin;
}

static void add_hole(GArray *holes, guint64 begin, guint64 end)
{
    if (begin >= end)
        return;
    g_array_append_val(holes, begin);
    g_array_append_val(holes, end);
}

GArray *berth_holes_find(int fd, guint64 offset, guint64 length)
{
    guint64 at = offset, end = offset + length, begin, stop;
    GArray *holes = g_array_new(FALSE, FALSE, sizeof(guint64));
    FindBlocks find = find_extent(fd, at, end, &begin, &stop) ? find_extent : find_data;
    while (at < end && find(fd, at, end, &begin, &stop)) {
        add_hole(holes, at, begin);
        at = stop;
    }
    add_hole(holes, at, end);
    return holes;
}
