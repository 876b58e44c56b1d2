/* SPDX-License-Identifier: MIT */
#include "ext_headers.h"

#include "header.h"

#include "base/error.h"

#include <string.h>
#include <sys/stat.h>

void berth_facts_clear(BerthFacts *facts)
{
    g_free(facts->path);
    g_free(facts->target);
    g_free(facts->acl);
    g_free(facts->default_acl);
    *facts = (BerthFacts){0};
}

static void forget_entry(BerthExtHeaders *ext_headers)
{
    berth_pax_clear(&ext_headers->pax);
    g_clear_pointer(&ext_headers->path, g_free);
    g_clear_pointer(&ext_headers->target, g_free);
    ext_headers->has_pax = false;
    ext_headers->lost_acls = 0;
}

void berth_ext_headers_clear(BerthExtHeaders *ext_headers)
{
    forget_entry(ext_headers);
    berth_pax_clear(&ext_headers->globals);
}

static bool damaged(GError **error, const char *what)
{
    berth_error_set(error, BERTH_ERROR_INVALID, "import.read.damaged",
                    "fetch or copy the file again", "the archive is damaged here (%s)", what);
    return false;
}

static bool unsupported(GError **error, const char *hint, const char *message)
{
    berth_error_set(error, BERTH_ERROR_INVALID, "import.read.unsupported", hint, "%s", message);
    return false;
}

/* --- special headers --- */

bool berth_ext_headers_is_special(char type)
{
    return type != '\0' && strchr("xXgLKVA", type) != NULL;
}

static void begin_pax(BerthExtHeaders *ext_headers)
{
    if (!ext_headers->has_pax)
        berth_pax_copy(&ext_headers->globals, &ext_headers->pax);
    ext_headers->has_pax = true;
}

/* GNU's long names are NUL-terminated. */
static bool read_long_name(char **name, const guint8 *body, gsize size, GError **error)
{
    if (size == 0 || body[0] == '\0')
        return damaged(error, "a long name is empty");
    g_free(*name);
    *name = g_strndup((const char *)body, size);
    return true;
}

bool berth_ext_headers_add(BerthExtHeaders *ext_headers, char type, const guint8 *body, gsize size,
                           GError **error)
{
    switch (type) {
    case 'L':
        return read_long_name(&ext_headers->path, body, size, error);
    case 'K':
        return read_long_name(&ext_headers->target, body, size, error);
    case 'A': /* Solaris: an ACL in its own format */
        ext_headers->lost_acls++;
        return true;
    case 'V': /* GNU: a volume label */
        return true;
    case 'g':
        ext_headers->is_pax = true;
        return berth_pax_add(&ext_headers->globals, body, size, error);
    default:
        ext_headers->is_pax = true;
        begin_pax(ext_headers);
        return berth_pax_add(&ext_headers->pax, body, size, error);
    }
}

bool berth_ext_headers_is_pending(const BerthExtHeaders *ext_headers)
{
    return ext_headers->has_pax || ext_headers->path != NULL || ext_headers->target != NULL;
}

/* --- the entry's own header --- */

static bool is_one_of(char type, const char *types)
{
    return type != '\0' && strchr(types, type) != NULL;
}

/* Types read as regular files: POSIX requires it of unknown types. */
static bool is_file_kind(char type)
{
    return !is_one_of(type, "123456D");
}

static bool check_kind(const guint8 *header, GError **error)
{
    char type = berth_header_type(header);
    if (type == 'M')
        return unsupported(error, "pack it again as one archive",
                           "a file continues from another volume");
    if (type == 'N' || berth_header_is_star_sparse(header))
        return unsupported(error, "pack it again with GNU tar or bsdtar",
                           "this kind of entry can only be read by the tar that wrote it");
    return true;
}

static bool read_numbers(const guint8 *header, gint64 *ret_numbers, GError **error)
{
    bool device = is_one_of(berth_header_type(header), "34") &&
                  (berth_header_is_ustar(header) || berth_header_is_gnu(header));
    guint last = device ? BERTH_HEADER_MINOR : BERTH_HEADER_MTIME;
    for (guint field = 0; field <= last; field++) {
        if (berth_header_number(header, field, &ret_numbers[field]))
            continue;
        g_autofree char *what =
            g_strdup_printf("the %s is not a number", berth_header_field_name(field));
        return damaged(error, what);
    }
    return true;
}

/* Bytes that follow the header, by libarchive's rules: 0 unless it is a file, or a link in a pax
 * archive; a size record overrides both. */
static bool choose_size(const BerthExtHeaders *ext_headers, char type, gint64 stated,
                        gint64 *ret_size, GError **error)
{
    bool none = is_one_of(type, "23456") || (type == '1' && !ext_headers->is_pax);
    gint64 size = none ? 0 : stated;
    if (ext_headers->pax.has_number[BERTH_PAX_SIZE])
        size = ext_headers->pax.numbers[BERTH_PAX_SIZE];
    if (size < 0)
        return damaged(error, "the size is negative");
    if (size > G_MAXINT64 - BERTH_HEADER_SIZE)
        return damaged(error, "the size is too large");
    *ret_size = size;
    return true;
}

static void read_flags(const char *text, BerthFacts *facts)
{
    g_auto(GStrv) flags = g_strsplit(text == NULL ? "" : text, ",", -1);
    for (guint i = 0; flags[i] != NULL; i++) {
        if (strcmp(flags[i], "nodump") == 0)
            facts->has_nodump = true;
        else if (flags[i][0] != '\0')
            facts->other_flags++;
    }
}

/* PAX overrides GNU, GNU the header. */
static char *choose_name(const char *pax, char **gnu, char *(*own)(const guint8 *),
                         const guint8 *header)
{
    if (pax != NULL)
        return g_strdup(pax);
    return *gnu != NULL ? g_steal_pointer(gnu) : own(header);
}

static gint64 choose_number(const BerthPax *pax, BerthPaxNumber number, gint64 own)
{
    return pax->has_number[number] ? pax->numbers[number] : own;
}

static void fill_facts(BerthExtHeaders *ext_headers, const guint8 *header, const gint64 *numbers,
                       BerthFacts *facts)
{
    const BerthPax *pax = &ext_headers->pax;
    const char *const sparse_path = pax->texts[BERTH_PAX_SPARSE_PATH];
    char type = berth_header_type(header);
    facts->path = choose_name(sparse_path != NULL ? sparse_path : pax->texts[BERTH_PAX_PATH],
                              &ext_headers->path, berth_header_path, header);
    facts->target = choose_name(pax->texts[BERTH_PAX_TARGET], &ext_headers->target,
                                berth_header_target, header);
    facts->uid = choose_number(pax, BERTH_PAX_UID, numbers[BERTH_HEADER_UID]);
    facts->gid = choose_number(pax, BERTH_PAX_GID, numbers[BERTH_HEADER_GID]);
    memcpy(facts->times, pax->times, sizeof(facts->times));
    memcpy(facts->has_time, pax->has_time, sizeof(facts->has_time));
    facts->is_sparse = berth_header_is_gnu_sparse(header) || berth_pax_is_sparse(pax);
    facts->is_socket =
        is_file_kind(type) && facts->data_size == 0 && S_ISSOCK(numbers[BERTH_HEADER_MODE]);
    facts->acl = g_strdup(pax->texts[BERTH_PAX_ACL_ACCESS]);
    facts->default_acl = g_strdup(pax->texts[BERTH_PAX_ACL_DEFAULT]);
    facts->lost_acls = ext_headers->lost_acls + (pax->texts[BERTH_PAX_ACL_NFS4] != NULL ? 1 : 0);
    facts->has_map_in_data = g_strcmp0(pax->texts[BERTH_PAX_SPARSE_MAJOR], "1") == 0;
    facts->has_map_in_blocks =
        berth_header_is_gnu_sparse(header) && berth_header_map_is_extended(header);
    facts->is_of_unknown_kind =
        type != '\0' && !is_one_of(type, "01234567D") && !berth_header_is_gnu_sparse(header);
    read_flags(pax->texts[BERTH_PAX_FLAGS], facts);
}

/* libarchive sees only the header's own name, possibly truncated to 100 bytes, and treats a file
 * whose name ends in a slash as a directory. */
static void build_records(const BerthPax *pax, const guint8 *header, const BerthFacts *facts,
                          GByteArray *records)
{
    char type = berth_header_type(header);
    g_autofree char *own = berth_header_path(header);
    if (is_file_kind(type) && g_str_has_suffix(own, "/") && !g_str_has_suffix(facts->path, "/"))
        berth_pax_append(records, "path", "f", 1);
    if (pax->has_number[BERTH_PAX_SIZE] || (type == '1' && facts->data_size > 0)) {
        g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, facts->data_size);
        berth_pax_append(records, "size", text, strlen(text));
    }
    berth_pax_build(pax, records);
}

bool berth_ext_headers_resolve(BerthExtHeaders *ext_headers, const guint8 *header,
                               BerthFacts *ret_facts, GByteArray *records, GError **error)
{
    gint64 numbers[BERTH_HEADER_MINOR + 1] = {0};
    char type = berth_header_type(header);
    ext_headers->is_pax = ext_headers->is_pax && berth_header_is_ustar(header);
    begin_pax(ext_headers);
    if (!check_kind(header, error) || !read_numbers(header, numbers, error) ||
        !choose_size(ext_headers, type, numbers[BERTH_HEADER_LENGTH], &ret_facts->data_size,
                     error) ||
        !berth_pax_check_device(&ext_headers->pax, is_one_of(type, "34"), error) ||
        !berth_pax_convert_holes(&ext_headers->pax, ret_facts->data_size, error))
        return false;

    fill_facts(ext_headers, header, numbers, ret_facts);
    if (is_file_kind(type) && ret_facts->data_size > 0 && g_str_has_suffix(ret_facts->path, "/"))
        return damaged(error, "a directory entry has file data");
    if (records != NULL)
        build_records(&ext_headers->pax, header, ret_facts, records);
    forget_entry(ext_headers);
    return true;
}
