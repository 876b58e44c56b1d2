/* SPDX-License-Identifier: MIT */
#include "acl.h"

#include "base/le.h"

#include <string.h>

#define HEADER_SIZE  4U
#define LINE_SIZE    8U
#define DISK_VERSION 1U

static void append_le(GByteArray *bytes, guint32 value, guint size)
{
    guint32 swapped = GUINT32_TO_LE(value);
    g_byte_array_append(bytes, (const guint8 *)&swapped, size);
}

static bool sorts_before(const guint8 *line, const BerthAclEntry *other)
{
    guint tag = berth_le_get16(line);
    return tag != other->tag ? tag < other->tag : berth_le_get32(line + 4) < other->id;
}

GBytes *berth_acl_insert(GBytes *acl, const BerthAclEntry *line)
{
    gsize size;
    const guint8 *data = g_bytes_get_data(acl, &size);
    gsize at = HEADER_SIZE;
    while (at + LINE_SIZE <= size && sorts_before(data + at, line))
        at += LINE_SIZE;

    g_autoptr(GByteArray) more = g_byte_array_new();
    g_byte_array_append(more, data, (guint)at);
    append_le(more, line->tag, 2);
    append_le(more, line->permissions, 2);
    append_le(more, line->id, 4);
    g_byte_array_append(more, data + at, (guint)(size - at));
    return g_byte_array_free_to_bytes(g_steal_pointer(&more));
}

GBytes *berth_acl_to_disk(GBytes *acl)
{
    gsize size;
    const guint8 *data = g_bytes_get_data(acl, &size);
    g_autoptr(GByteArray) disk = g_byte_array_new();
    append_le(disk, DISK_VERSION, HEADER_SIZE);
    for (gsize at = HEADER_SIZE; at + LINE_SIZE <= size; at += LINE_SIZE) {
        guint tag = berth_le_get16(data + at);
        bool named = tag == BERTH_ACL_TAG_USER || tag == BERTH_ACL_TAG_GROUP;
        g_byte_array_append(disk, data + at, named ? 8 : 4);
    }
    return g_byte_array_free_to_bytes(g_steal_pointer(&disk));
}

/* Parse "name:password:id:..."; false unless the line is @name's and its id is valid. */
static bool parse_account(const char *line, gsize length, const char *name, guint32 *ret_id)
{
    g_autofree char *copy = g_strndup(line, length);
    g_auto(GStrv) fields = g_strsplit(copy, ":", 4);
    guint64 id = 0;
    if (g_strv_length(fields) < 3 || strcmp(fields[0], name) != 0 ||
        !g_ascii_string_to_unsigned(fields[2], 10, 0, G_MAXUINT32 - 1, &id, NULL))
        return false;
    *ret_id = (guint32)id;
    return true;
}

bool berth_acl_find_account(GBytes *accounts, const char *name, guint32 *ret_id)
{
    gsize size;
    const char *next = g_bytes_get_data(accounts, &size);
    for (const char *end = next + size; next < end;) {
        const char *stop = memchr(next, '\n', (gsize)(end - next));
        gsize length = (gsize)((stop != NULL ? stop : end) - next);
        if (parse_account(next, length, name, ret_id))
            return true;
        next += length + 1;
    }
    return false;
}
