/* SPDX-License-Identifier: MIT
 *
 * bytes — unaligned big-endian integers of network packets, and the Internet checksum (RFC 1071,
 * RFC 1624). Callers check the bounds.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

static inline guint16 berth_bytes_get_u16(const guint8 *bytes)
{
    return (guint16)(bytes[0] << 8 | bytes[1]);
}

static inline guint32 berth_bytes_get_u32(const guint8 *bytes)
{
    return (guint32)berth_bytes_get_u16(bytes) << 16 | berth_bytes_get_u16(bytes + 2);
}

static inline void berth_bytes_put_u16(guint8 *bytes, guint value)
{
    bytes[0] = (guint8)(value >> 8);
    bytes[1] = (guint8)value;
}

static inline void berth_bytes_put_u32(guint8 *bytes, guint32 value)
{
    berth_bytes_put_u16(bytes, value >> 16);
    berth_bytes_put_u16(bytes + 2, value & 0xffff);
}

/* The one's complement sum of up to 64 KiB, not folded. */
static inline guint32 berth_bytes_sum(guint32 start, const guint8 *bytes, gsize size)
{
    for (gsize i = 0; i + 1 < size; i += 2)
        start += berth_bytes_get_u16(bytes + i);
    return size % 2 == 1 ? start + ((guint32)bytes[size - 1] << 8) : start;
}

static inline guint16 berth_bytes_fold(guint32 sum)
{
    while (sum > 0xffff)
        sum = (sum >> 16) + (sum & 0xffff);
    return (guint16)sum;
}

/* Update @checksum for 32 covered bits that changed from @before to @after. */
static inline void berth_bytes_adjust_checksum(guint8 *checksum, guint32 before, guint32 after)
{
    guint32 sum = (guint16)~berth_bytes_get_u16(checksum);
    sum += (~before >> 16) + (~before & 0xffff) + (after >> 16) + (after & 0xffff);
    berth_bytes_put_u16(checksum, (guint16)~berth_bytes_fold(sum));
}

G_END_DECLS
