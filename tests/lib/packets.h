/* SPDX-License-Identifier: MIT
 *
 * packets — integers and checksums of network packets, for tests that build and parse them.
 */
#pragma once

#include <glib.h>

static inline guint16 get_u16(const guint8 *bytes)
{
    return (guint16)(bytes[0] << 8 | bytes[1]);
}

static inline guint32 get_u32(const guint8 *bytes)
{
    return (guint32)get_u16(bytes) << 16 | get_u16(bytes + 2);
}

static inline void put_u16(guint8 *bytes, guint value)
{
    bytes[0] = (guint8)(value >> 8);
    bytes[1] = (guint8)value;
}

static inline void put_u32(guint8 *bytes, guint32 value)
{
    put_u16(bytes, value >> 16);
    put_u16(bytes + 2, value & 0xffff);
}

static inline guint32 sum(guint32 start, const guint8 *bytes, gsize size)
{
    for (gsize i = 0; i + 1 < size; i += 2)
        start += get_u16(bytes + i);
    if (size % 2 == 1)
        start += (guint32)bytes[size - 1] << 8;
    return start;
}

static inline guint16 fold(guint32 total)
{
    while (total > 0xffff)
        total = (total >> 16) + (total & 0xffff);
    return (guint16)~total;
}
