/* SPDX-License-Identifier: MIT */
#include "pax.h"

#include "base/error.h"
#include "base/text.h"

#include <string.h>

#define NSEC_DIGITS 9
#define FETCH_AGAIN "fetch or copy the file again"

typedef struct {
    const char *key;
    gsize key_size;
    const char *value;
    gsize size;
} Record;

typedef bool (*HandleFunc)(BerthPax *pax, const Record *record, guint which, GError **error);

static bool damaged(GError **error, const char *format, const Record *record)
{
    g_autofree char *key = g_strndup(record->key, record->key_size);
    g_autofree char *shown = berth_text_escape(key);
    berth_error_set(error, BERTH_ERROR_INVALID, "import.read.damaged", FETCH_AGAIN,
                    "the archive is damaged here (%s %s)", format, shown);
    return false;
}

/* --- values --- */

static gint64 saturate(bool negative)
{
    return negative ? G_MININT64 : G_MAXINT64;
}

/* Parse all of @text as an integer, clamped to 64 bits. */
static bool parse_number(const char *text, gsize size, gint64 *ret_value)
{
    bool negative = size > 0 && text[0] == '-';
    gint64 value = 0;
    bool large = false;
    gsize first = negative ? 1 : 0;
    if (size == first)
        return false;
    for (gsize i = first; i < size; i++) {
        if (!g_ascii_isdigit(text[i]))
            return false;
        gint64 digit = text[i] - '0';
        large = large || value > (G_MAXINT64 - digit) / 10;
        value = large ? value : value * 10 + digit;
    }
    *ret_value = large ? saturate(negative) : negative ? -value : value;
    return true;
}

/* Convert the @size digits of a fraction to nanoseconds; *ret_more: nonzero digits beyond them. */
static guint32 parse_fraction(const char *digits, gsize size, bool *ret_more)
{
    guint32 nsec = 0;
    *ret_more = false;
    for (gsize i = 0; i < NSEC_DIGITS; i++)
        nsec = nsec * 10 + (i < size ? (guint32)(digits[i] - '0') : 0);
    for (gsize i = NSEC_DIGITS; i < size; i++)
        *ret_more = *ret_more || digits[i] != '0';
    return nsec;
}

static gsize count_digits(const char *text, gsize size)
{
    gsize count = 0;
    while (count < size && g_ascii_isdigit(text[count]))
        count++;
    return count;
}

/* "-1.5" is half a second before "-1": {-2, 500000000}. Rounds down, and ignores trailing text, as
 * GNU tar does. */
static bool parse_time(const char *text, gsize size, BerthTime *ret_time)
{
    gsize sign = size > 0 && text[0] == '-' ? 1 : 0;
    gsize whole = sign + count_digits(text + sign, size - sign);
    gint64 sec = 0;
    if (!parse_number(text, whole, &sec))
        return false;

    bool more = false;
    bool point = whole < size && text[whole] == '.';
    gsize digits = point ? count_digits(text + whole + 1, size - whole - 1) : 0;
    guint32 nsec = parse_fraction(text + whole + 1, digits, &more);
    guint32 down = nsec + (more ? 1 : 0);
    bool negative = text[0] == '-' && sec > G_MININT64;
    if (negative && down > 0)
        *ret_time = (BerthTime){.sec = sec - 1, .nsec = (1000000000 - down) % 1000000000};
    else
        *ret_time = (BerthTime){.sec = sec, .nsec = nsec};
    return true;
}

static bool handle_text(BerthPax *pax, const Record *record, guint which, GError **error)
{
    if (memchr(record->value, '\0', record->size) != NULL)
        return damaged(error, "a NUL in the record", record);
    g_free(pax->texts[which]);
    pax->texts[which] = record->size == 0 ? NULL : g_strndup(record->value, record->size);
    return true;
}

static bool handle_digits(BerthPax *pax, const Record *record, guint which, GError **error)
{
    gint64 value = 0;
    if (record->size > 0 && (!parse_number(record->value, record->size, &value) || value < 0))
        return damaged(error, "not a number in the record", record);
    return handle_text(pax, record, which, error);
}

static bool handle_number(BerthPax *pax, const Record *record, guint which, GError **error)
{
    pax->has_number[which] = record->size > 0;
    if (record->size > 0 && !parse_number(record->value, record->size, &pax->numbers[which]))
        return damaged(error, "not a number in the record", record);
    return true;
}

static bool handle_time(BerthPax *pax, const Record *record, guint which, GError **error)
{
    pax->has_time[which] = record->size > 0;
    if (record->size > 0 && !parse_time(record->value, record->size, &pax->times[which]))
        return damaged(error, "not a time in the record", record);
    return true;
}

static void append_record(GByteArray **body, const Record *record)
{
    g_autofree char *key = g_strndup(record->key, record->key_size);
    if (*body == NULL)
        *body = g_byte_array_new();
    berth_pax_append(*body, key, record->value, record->size);
}

static bool handle_xattr(BerthPax *pax, const Record *record, guint weak, GError **error)
{
    append_record(weak ? &pax->weak_xattrs : &pax->xattrs, record);
    return true;
}

static bool handle_sparse_pair(BerthPax *pax, const Record *record, guint unused, GError **error)
{
    gint64 value = 0;
    if (!parse_number(record->value, record->size, &value) || value < 0)
        return damaged(error, "not a number in the record", record);
    append_record(&pax->sparse_pairs, record);
    return true;
}

static bool refuse_volume(BerthPax *pax, const Record *record, guint unused, GError **error)
{
    berth_error_set(error, BERTH_ERROR_INVALID, "import.read.unsupported",
                    "pack it again as one archive", "a file continues from another volume");
    return false;
}

static bool skip(BerthPax *pax, const Record *record, guint unused, GError **error)
{
    return true;
}

/* A key that ends in a point is a prefix. The first matching row counts. */
static const struct {
    const char *key;
    HandleFunc handle;
    guint which;
} keys[] = {
    {"path", handle_text, BERTH_PAX_PATH},
    {"linkpath", handle_text, BERTH_PAX_TARGET},
    {"size", handle_number, BERTH_PAX_SIZE},
    {"uid", handle_number, BERTH_PAX_UID},
    {"gid", handle_number, BERTH_PAX_GID},
    {"mtime", handle_time, BERTH_TIME_MODIFIED},
    {"atime", handle_time, BERTH_TIME_ACCESSED},
    {"ctime", handle_time, BERTH_TIME_CHANGED},
    {"LIBARCHIVE.creationtime", handle_time, BERTH_TIME_BORN},
    {"SCHILY.xattr.", handle_xattr, false},
    {"LIBARCHIVE.xattr.", handle_xattr, true},
    {"RHT.security.selinux", handle_xattr, true},
    {"SCHILY.acl.access", handle_text, BERTH_PAX_ACL_ACCESS},
    {"SCHILY.acl.default", handle_text, BERTH_PAX_ACL_DEFAULT},
    {"SCHILY.acl.ace", handle_text, BERTH_PAX_ACL_NFS4},
    {"SCHILY.fflags", handle_text, BERTH_PAX_FLAGS},
    {"SCHILY.devmajor", handle_text, BERTH_PAX_MAJOR},
    {"SCHILY.devminor", handle_text, BERTH_PAX_MINOR},
    {"GNU.sparse.name", handle_text, BERTH_PAX_SPARSE_PATH},
    {"GNU.sparse.offset", handle_sparse_pair, 0},
    {"GNU.sparse.numbytes", handle_sparse_pair, 0},
    {"GNU.sparse.numblocks", handle_digits, BERTH_PAX_SPARSE_BLOCKS},
    {"GNU.sparse.size", handle_digits, BERTH_PAX_SPARSE_SIZE},
    {"GNU.sparse.map", handle_text, BERTH_PAX_SPARSE_MAP},
    {"GNU.sparse.major", handle_digits, BERTH_PAX_SPARSE_MAJOR},
    {"GNU.sparse.minor", handle_digits, BERTH_PAX_SPARSE_MINOR},
    {"GNU.sparse.realsize", handle_digits, BERTH_PAX_REALSIZE},
    {"SCHILY.realsize", handle_digits, BERTH_PAX_STAR_REALSIZE},
    {"SUN.holesdata", handle_text, BERTH_PAX_HOLES},
    {"GNU.volume.label", skip, 0},
    {"GNU.volume.", refuse_volume, 0},
};

/* --- records --- */

static bool key_matches(const char *pattern, const Record *record)
{
    gsize length = strlen(pattern);
    if (pattern[length - 1] == '.' ? record->key_size < length : record->key_size != length)
        return false;
    return memcmp(pattern, record->key, length) == 0;
}

static bool handle_record(BerthPax *pax, const Record *record, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (key_matches(keys[i].key, record))
            return keys[i].handle(pax, record, keys[i].which, error);
    }
    return true; /* irrelevant for a file system: comment, uname, charset, ... */
}

/* Parse the record at @text, at most @size bytes; *ret_length is its length. */
static bool parse_record(const char *text, gsize size, Record *ret_record, gsize *ret_length)
{
    gsize length = 0;
    gsize at = 0;
    for (; at < size && g_ascii_isdigit(text[at]) && length <= size; at++)
        length = length * 10 + (gsize)(text[at] - '0');
    if (at == 0 || at >= size || text[at] != ' ' || length > size || length < at + 4 ||
        text[length - 1] != '\n')
        return false;

    const char *key = text + at + 1;
    gsize rest = length - at - 2;
    const char *equals = memchr(key, '=', rest);
    if (equals == NULL || equals == key || memchr(key, '\0', (gsize)(equals - key)) != NULL)
        return false;
    *ret_record = (Record){.key = key,
                           .key_size = (gsize)(equals - key),
                           .value = equals + 1,
                           .size = rest - (gsize)(equals - key) - 1};
    *ret_length = length;
    return true;
}

bool berth_pax_add(BerthPax *pax, const guint8 *body, gsize size, GError **error)
{
    for (gsize at = 0; at < size;) {
        Record record;
        gsize length = 0;
        if (!parse_record((const char *)body + at, size - at, &record, &length)) {
            berth_error_set(error, BERTH_ERROR_INVALID, "import.read.damaged", FETCH_AGAIN,
                            "the archive is damaged here (a malformed PAX record)");
            return false;
        }
        if (!handle_record(pax, &record, error))
            return false;
        at += length;
    }
    return true;
}

/* --- all records of an entry --- */

static GByteArray **byte_arrays(BerthPax *pax, guint which)
{
    GByteArray **all[] = {&pax->weak_xattrs, &pax->xattrs, &pax->sparse_pairs};
    return which < G_N_ELEMENTS(all) ? all[which] : NULL;
}

void berth_pax_clear(BerthPax *pax)
{
    for (guint i = 0; i < BERTH_PAX_TEXTS; i++)
        g_free(pax->texts[i]);
    for (guint i = 0; byte_arrays(pax, i) != NULL; i++)
        g_clear_pointer(byte_arrays(pax, i), g_byte_array_unref);
    *pax = (BerthPax){0};
}

void berth_pax_copy(const BerthPax *pax, BerthPax *ret_pax)
{
    *ret_pax = *pax;
    for (guint i = 0; i < BERTH_PAX_TEXTS; i++)
        ret_pax->texts[i] = g_strdup(pax->texts[i]);
    for (guint i = 0; byte_arrays(ret_pax, i) != NULL; i++) {
        GByteArray **array = byte_arrays(ret_pax, i);
        const GByteArray *old = *array;
        if (old != NULL)
            *array = g_byte_array_append(g_byte_array_new(), old->data, old->len);
    }
}

bool berth_pax_is_sparse(const BerthPax *pax)
{
    for (guint i = BERTH_PAX_SPARSE_BLOCKS; i < BERTH_PAX_TEXTS; i++) {
        if (pax->texts[i] != NULL)
            return true;
    }
    return pax->sparse_pairs != NULL;
}

bool berth_pax_check_device(BerthPax *pax, bool is_device, GError **error)
{
    for (guint which = BERTH_PAX_MAJOR; which <= BERTH_PAX_MINOR; which++) {
        char **text = &pax->texts[which];
        if (!is_device)
            g_clear_pointer(text, g_free);
        if (*text == NULL || strspn(*text, "0123456789") == strlen(*text))
            continue;
        berth_error_set(error, BERTH_ERROR_INVALID, "import.read.damaged", FETCH_AGAIN,
                        "the archive is damaged here (the device number is not a number)");
        return false;
    }
    return true;
}

static bool damaged_holes(GError **error)
{
    berth_error_set(error, BERTH_ERROR_INVALID, "import.read.damaged", FETCH_AGAIN,
                    "the archive is damaged here (the list of holes does not fit the file)");
    return false;
}

bool berth_pax_convert_holes(BerthPax *pax, gint64 data_size, GError **error)
{
    g_autofree char *list = g_steal_pointer(&pax->texts[BERTH_PAX_HOLES]);
    if (list == NULL)
        return true;

    g_auto(GStrv) offsets = g_strsplit(list[0] == ' ' ? list + 1 : list, " ", -1);
    g_autoptr(GString) map = g_string_new(NULL);
    gint64 before = 0;
    gint64 stored = 0;
    for (guint i = 0; offsets[i] != NULL; i++) {
        gint64 offset = 0;
        if (!parse_number(offsets[i], strlen(offsets[i]), &offset) || offset < before)
            return damaged_holes(error);
        bool data = i % 2 == 1 && offset > before;
        stored += data ? offset - before : 0;
        if (data)
            g_string_append_printf(map, "%s%" G_GINT64_FORMAT ",%" G_GINT64_FORMAT,
                                   map->len > 0 ? "," : "", before, offset - before);
        before = offset;
    }
    if (data_size == before)
        return true; /* not sparse: the archive has the whole file */
    if (data_size != stored)
        return damaged_holes(error);
    g_free(pax->texts[BERTH_PAX_SPARSE_MAP]);
    g_free(pax->texts[BERTH_PAX_REALSIZE]);
    g_string_append_printf(map, "%s%" G_GINT64_FORMAT ",0", map->len > 0 ? "," : "", before);
    pax->texts[BERTH_PAX_SPARSE_MAP] = g_strdup(map->str);
    pax->texts[BERTH_PAX_REALSIZE] = g_strdup_printf("%" G_GINT64_FORMAT, before);
    return true;
}

void berth_pax_append(GByteArray *body, const char *key, const void *value, gsize size)
{
    gsize rest = strlen(key) + size + 3;
    gsize length = rest;
    for (gsize digits = 1, limit = 10; length == rest; digits++, limit *= 10)
        length = rest + digits < limit ? rest + digits : rest;
    g_autofree char *start = g_strdup_printf("%" G_GSIZE_FORMAT " %s=", length, key);
    g_byte_array_append(body, (const guint8 *)start, (guint)strlen(start));
    g_byte_array_append(body, value, (guint)size);
    g_byte_array_append(body, (const guint8 *)"\n", 1);
}

static bool is_forwarded(guint text)
{
    return text >= BERTH_PAX_MAJOR && text < BERTH_PAX_TEXTS;
}

void berth_pax_build(const BerthPax *pax, GByteArray *body)
{
    /* libarchive returns attributes in reverse order, and keeps the first of each name. */
    if (pax->weak_xattrs != NULL)
        g_byte_array_append(body, pax->weak_xattrs->data, pax->weak_xattrs->len);
    if (pax->xattrs != NULL)
        g_byte_array_append(body, pax->xattrs->data, pax->xattrs->len);
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        const char *text = keys[i].handle == handle_text || keys[i].handle == handle_digits
                               ? pax->texts[keys[i].which]
                               : NULL;
        if (text != NULL && is_forwarded(keys[i].which))
            berth_pax_append(body, keys[i].key, text, strlen(text));
    }
    if (pax->sparse_pairs != NULL)
        g_byte_array_append(body, pax->sparse_pairs->data, pax->sparse_pairs->len);
}
