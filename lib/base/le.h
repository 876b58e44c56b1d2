/* SPDX-License-Identifier: MIT
 *
 * le — unaligned little-endian integers, as on disks. Callers check the bounds.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

static inline guint16 berth_le_get16(const guint8 *at)
{
    return (guint16)(at[0] | at[1] << 8);
}

static inline guint32 berth_le_get32(const guint8 *at)
{
    return berth_le_get16(at) | (guint32)berth_le_get16(at + 2) << 16;
}

static inline void berth_le_put16(guint8 *at, guint value)
{
    at[0] = (guint8)value;
    at[1] = (guint8)(value >> 8);
}

static inline void berth_le_put32(guint8 *at, guint32 value)
{
    berth_le_put16(at, value);
    berth_le_put16(at + 2, value >> 16);
}

static inline guint64 berth_le_get64(const guint8 *at)
{
    return berth_le_get32(at) | (guint64)berth_le_get32(at + 4) << 32;
}

static inline void berth_le_put64(guint8 *at, guint64 value)
{
    berth_le_put32(at, (guint32)value);
    berth_le_put32(at + 4, (guint32)(value >> 32));
}

G_END_DECLS
