/* SPDX-License-Identifier: MIT */
#include "header.h"

#include <string.h>

#define NAME_AT              0U
#define NAME_SIZE            100U
#define LENGTH_AT            124U
#define LENGTH_SIZE          12U
#define CHECKSUM_AT          148U
#define CHECKSUM_SIZE        8U
#define TYPE_AT              156U
#define TARGET_AT            157U
#define MAGIC_AT             257U
#define PREFIX_AT            345U
#define PREFIX_SIZE          155U
#define MAP_AT               386U /* GNU: four pairs of offset and length, 12 bytes each */
#define MAP_IS_EXTENDED_AT   482U
#define REALSIZE_AT          483U
#define REALSIZE_SIZE        12U
#define STAR_MAGIC_AT        508U
#define BLOCK_IS_EXTENDED_AT 504U /* in a block with 21 more pairs */

static const struct {
    guint at;
    guint size;
    const char *name;
} fields[] = {
    [BERTH_HEADER_MODE] = {100, 8, "mode"},
    [BERTH_HEADER_UID] = {108, 8, "owner"},
    [BERTH_HEADER_GID] = {116, 8, "group"},
    [BERTH_HEADER_LENGTH] = {LENGTH_AT, LENGTH_SIZE, "size"},
    [BERTH_HEADER_MTIME] = {136, 12, "time"},
    [BERTH_HEADER_MAJOR] = {329, 8, "device number"},
    [BERTH_HEADER_MINOR] = {337, 8, "device number"},
    [BERTH_HEADER_ACCESSED] = {PREFIX_AT, 12, "access time"},
    [BERTH_HEADER_CHANGED] = {357, 12, "change time"},
};

bool berth_header_is_zero(const guint8 *header)
{
    static const guint8 zeros[BERTH_HEADER_SIZE];
    return header[0] == 0 && memcmp(header, zeros, BERTH_HEADER_SIZE) == 0;
}

static bool parse_octal(const guint8 *field, gsize size, gint64 *ret_value)
{
    gsize at = 0;
    while (at < size && (field[at] == ' ' || field[at] == '\t'))
        at++;
    bool negative = at < size && field[at] == '-';
    at += negative ? 1 : 0;
    gsize first = at;
    gint64 value = 0;
    for (; at < size && field[at] >= '0' && field[at] <= '7'; at++)
        value = value << 3 | (field[at] - '0'); /* at most 12 digits */
    if (at < size && field[at] != '\0' && !g_ascii_isspace(field[at]))
        return false;
    *ret_value = negative ? -value : value;
    return at > first || !negative;
}

/* Two's complement; the first bit is the base-256 flag. */
static bool parse_binary(const guint8 *field, gsize size, gint64 *ret_value)
{
    bool negative = (field[0] & 0x40) != 0;
    guint64 value = negative ? G_MAXUINT64 << 6 : 0;
    value |= field[0] & 0x3f;
    for (gsize i = 1; i < size; i++) {
        guint64 top = value >> 55; /* the sign extension */
        if (top != (negative ? G_MAXUINT64 >> 55 : 0))
            return false;
        value = value << 8 | field[i];
    }
    *ret_value = (gint64)value;
    return true;
}

bool berth_header_number(const guint8 *header, BerthHeaderField which, gint64 *ret_value)
{
    const guint8 *field = header + fields[which].at;
    return (field[0] & 0x80) != 0 ? parse_binary(field, fields[which].size, ret_value)
                                  : parse_octal(field, fields[which].size, ret_value);
}

const char *berth_header_field_name(BerthHeaderField field)
{
    return fields[field].name;
}

bool berth_header_checksum_is_right(const guint8 *header)
{
    guint32 sum = 0;
    guint32 high = 0; /* count of bytes >= 0x80, negative as signed char */
    for (guint i = 0; i < BERTH_HEADER_SIZE; i++) {
        sum += header[i];
        high += header[i] >> 7;
    }
    for (guint i = CHECKSUM_AT; i < CHECKSUM_AT + CHECKSUM_SIZE; i++) {
        sum += (guint32)' ' - header[i];
        high -= header[i] >> 7;
    }

    gint64 stated = 0;
    return parse_octal(header + CHECKSUM_AT, CHECKSUM_SIZE, &stated) &&
           (stated == sum || stated == (gint64)sum - 256 * (gint64)high);
}

bool berth_header_is_gnu(const guint8 *header)
{
    return memcmp(header + MAGIC_AT, "ustar  ", 8) == 0;
}

bool berth_header_is_ustar(const guint8 *header)
{
    return memcmp(header + MAGIC_AT, "ustar", 5) == 0 && !berth_header_is_gnu(header);
}

char berth_header_type(const guint8 *header)
{
    return (char)header[TYPE_AT];
}

static bool is_zero(const guint8 *bytes, gsize size)
{
    for (gsize i = 0; i < size; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

static bool has_gnu_times(const guint8 *header)
{
    gint64 unused = 0;
    return berth_header_number(header, BERTH_HEADER_ACCESSED, &unused) &&
           berth_header_number(header, BERTH_HEADER_CHANGED, &unused);
}

/* A prefix written by Go under GNU's magic: printable ASCII, zeros after it, no GNU times in its
 * place, and name and prefix together too long for the name field. Source: the reader of Go's
 * archive/tar. */
static bool has_go_prefix(const guint8 *header, gsize name_size)
{
    gsize size = 0;
    while (size < PREFIX_SIZE && g_ascii_isprint(header[PREFIX_AT + size]))
        size++;
    return berth_header_is_gnu(header) && berth_header_type(header) != 'S' &&
           !has_gnu_times(header) && size + 1 + name_size > NAME_SIZE &&
           is_zero(header + PREFIX_AT + size, BERTH_HEADER_SIZE - PREFIX_AT - size);
}

char *berth_header_path(const guint8 *header)
{
    g_autofree char *name = g_strndup((const char *)header + NAME_AT, NAME_SIZE);
    bool prefixed = header[PREFIX_AT] != '\0' &&
                    (berth_header_is_ustar(header) || has_go_prefix(header, strlen(name)));
    if (!prefixed)
        return g_steal_pointer(&name);
    g_autofree char *prefix = g_strndup((const char *)header + PREFIX_AT, PREFIX_SIZE);
    return g_strconcat(prefix, "/", name, NULL);
}

char *berth_header_target(const guint8 *header)
{
    return g_strndup((const char *)header + TARGET_AT, NAME_SIZE);
}

bool berth_header_has_stray_tail(const guint8 *header)
{
    if (!berth_header_is_gnu(header) || berth_header_type(header) == 'S')
        return false;
    return !is_zero(header + MAP_AT, REALSIZE_AT + REALSIZE_SIZE - MAP_AT) ||
           !has_gnu_times(header);
}

bool berth_header_is_gnu_sparse(const guint8 *header)
{
    return berth_header_is_gnu(header) && berth_header_type(header) == 'S';
}

bool berth_header_is_star_sparse(const guint8 *header)
{
    return berth_header_is_ustar(header) && berth_header_type(header) == 'S' &&
           memcmp(header + STAR_MAGIC_AT, "tar", 4) == 0;
}

bool berth_header_map_is_extended(const guint8 *header)
{
    return header[MAP_AT] != 0 && header[MAP_IS_EXTENDED_AT] != 0;
}

bool berth_header_map_block_is_extended(const guint8 *block)
{
    return block[BLOCK_IS_EXTENDED_AT] != 0;
}

static void put_octal(guint8 *field, gsize size, guint64 value)
{
    for (gsize i = size - 1; i > 0; i--, value >>= 3)
        field[i - 1] = (guint8)('0' + (value & 7));
}

static void put_checksum(guint8 *header)
{
    memset(header + CHECKSUM_AT, ' ', CHECKSUM_SIZE);
    guint sum = 0;
    for (guint i = 0; i < BERTH_HEADER_SIZE; i++)
        sum += header[i];
    put_octal(header + CHECKSUM_AT, CHECKSUM_SIZE - 1, sum);
    header[CHECKSUM_AT + CHECKSUM_SIZE - 2] = '\0';
}

void berth_header_append_clean(GByteArray *bytes, const guint8 *header)
{
    guint8 clean[BERTH_HEADER_SIZE] = {0};
    memcpy(clean, header, PREFIX_AT);
    put_checksum(clean);
    g_byte_array_append(bytes, clean, BERTH_HEADER_SIZE);
}

void berth_header_append_pax(GByteArray *bytes, gsize size)
{
    guint8 header[BERTH_HEADER_SIZE] = {'p', 'a', 'x'};
    for (guint i = 0; i <= BERTH_HEADER_MTIME; i++)
        put_octal(header + fields[i].at, fields[i].size, i == BERTH_HEADER_LENGTH ? size : 0);
    header[TYPE_AT] = 'x';
    memcpy(header + MAGIC_AT, "ustar\00000", 8);
    put_checksum(header);
    g_byte_array_append(bytes, header, BERTH_HEADER_SIZE);
}
