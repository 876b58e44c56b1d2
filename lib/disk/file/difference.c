/* SPDX-License-Identifier: MIT */
#include "difference.h"

#include "base/error.h"

#include <string.h>

#define HEAD_SIZE  4U
#define PATH_LIMIT 65535U /* of the reader of images */

static const struct {
    char letter;
    const char *name;
} changes[] = {
    [BERTH_DIFFERENCE_ADDED] = {'+', "added"},
    [BERTH_DIFFERENCE_DELETED] = {'-', "deleted"},
    [BERTH_DIFFERENCE_CHANGED] = {'~', "changed"},
};

static const struct {
    char letter;
    const char *name;
} types[] = {
    {'f', "file"},        {'d', "directory"},    {'l', "symlink"},
    {'c', "char-device"}, {'b', "block-device"}, {'p', "fifo"},
};

static const char *const aspects[BERTH_DIFFERENCE_ASPECTS] = {
    "type", "content", "target", "device", "owner", "mode", "attributes",
};

const char *berth_difference_change(BerthDifferenceChange change)
{
    return changes[change].name;
}

const char *berth_difference_type(char type)
{
    for (gsize i = 0; i < G_N_ELEMENTS(types); i++)
        if (types[i].letter == type)
            return types[i].name;
    return NULL;
}

const char *berth_difference_aspect(guint index)
{
    return aspects[index];
}

void berth_difference_write(GByteArray *stream, const BerthDifference *difference)
{
    static const char digits[] = "0123456789abcdef";
    const guint8 head[HEAD_SIZE] = {
        (guint8)changes[difference->change].letter,
        (guint8)difference->type,
        (guint8)digits[difference->aspects >> 4],
        (guint8)digits[difference->aspects & 15],
    };
    g_byte_array_append(stream, head, HEAD_SIZE);
    g_byte_array_append(stream, (const guint8 *)difference->path,
                        (guint)strlen(difference->path) + 1);
}

static bool parse_change(char letter, BerthDifferenceChange *ret_change)
{
    for (gsize i = 0; i < G_N_ELEMENTS(changes); i++) {
        if (changes[i].letter != letter)
            continue;
        *ret_change = (BerthDifferenceChange)i;
        return true;
    }
    return false;
}

/* A changed file has one aspect or more, any other has none. */
static bool parse_aspects(const char *digits, BerthDifferenceChange change, guint *ret_aspects)
{
    int high = g_ascii_xdigit_value(digits[0]), low = g_ascii_xdigit_value(digits[1]);
    if (high < 0 || low < 0)
        return false;
    guint bits = (guint)high << 4 | (guint)low;
    *ret_aspects = bits;
    return bits < 1U << BERTH_DIFFERENCE_ASPECTS &&
           (bits != 0) == (change == BERTH_DIFFERENCE_CHANGED);
}

/* Whether the path has no empty component, and none that leads elsewhere. */
static bool is_path(const char *path)
{
    for (const char *part = path; *part != '\0';) {
        gsize length = strcspn(part, "/");
        if (length == 0 || (length <= 2 && strspn(part, ".") == length))
            return false;
        part += length;
        if (*part == '/' && *++part == '\0')
            return false;
    }
    return true;
}

/* @record ends with a NUL. */
static bool parse(const GByteArray *record, BerthDifference *ret_difference)
{
    const char *text = (const char *)record->data;
    if (record->len <= HEAD_SIZE)
        return false;
    ret_difference->type = text[1];
    ret_difference->path = text + HEAD_SIZE;
    return parse_change(text[0], &ret_difference->change) &&
           berth_difference_type(text[1]) != NULL &&
           parse_aspects(text + 2, ret_difference->change, &ret_difference->aspects) &&
           is_path(ret_difference->path);
}

static bool end_record(BerthDifferenceReader *reader, bool *ret_valid, GError **error)
{
    BerthDifference difference;
    *ret_valid = parse(reader->partial, &difference);
    bool ok = *ret_valid && reader->func(&difference, reader->user_data, error);
    g_byte_array_set_size(reader->partial, 0);
    return ok;
}

static bool set_invalid(GError **error)
{
    berth_error_set(error, BERTH_ERROR_PROTOCOL, "import.worker.protocol", NULL,
                    "berth-image sent an invalid record of a difference");
    return false;
}

bool berth_difference_feed(BerthDifferenceReader *reader, const void *data, gsize size,
                           GError **error)
{
    const guint8 *next = data;
    bool valid = true;
    while (valid && size > 0) {
        const guint8 *end = memchr(next, '\0', size);
        gsize length = end != NULL ? (gsize)(end - next) + 1 : size;
        valid = reader->partial->len + length <= HEAD_SIZE + PATH_LIMIT + 1;
        if (!valid)
            break;
        g_byte_array_append(reader->partial, next, (guint)length);
        next += length;
        size -= length;
        if (end != NULL && !end_record(reader, &valid, error) && valid)
            return false;
    }
    return valid || set_invalid(error);
}

bool berth_difference_end(const BerthDifferenceReader *reader, GError **error)
{
    return reader->partial->len == 0 || set_invalid(error);
}
