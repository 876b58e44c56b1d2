/* SPDX-License-Identifier: MIT
 *
 * Formats: POSIX pax (ustar and extended headers), GNU tar's manual (types L, K and S).
 */
#include "tarindex.h"

#include "header.h"
#include "pax.h"

#include "base/error.h"
#include "base/text.h"
#include "disk/tree/entry.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define BLOCK          BERTH_HEADER_SIZE
#define MEMBERS_LIMIT  100000U
#define EXTENDED_LIMIT (1U << 20) /* of a PAX header or a long name */
#define PATH_LIMIT     4096U
#define HOPS_LIMIT     16U
#define FETCH_AGAIN    "fetch or copy the file again"

typedef struct {
    BerthTarRange range;
    char *target; /* of links: normalised, from the top */
    bool sparse;
} Member;

/* What headers before a member's own said of it: PAX beats GNU's long names. */
typedef struct {
    BerthPax pax;
    char *path;
    char *target;
} Pending;

struct BerthTarIndex {
    GHashTable *members; /* path -> Member */
    GHashTable *tops;    /* first components */
    bool complete;

    int fd;
    const guint8 *head; /* instead of the fd: the beginning of a tar, in memory */
    guint64 at;         /* of the next header */
    guint64 end;
    guint headers;
    Pending pending;
};

static void member_free(gpointer data)
{
    Member *member = data;
    g_free(member->target);
    g_free(member);
}

static void pending_clear(Pending *pending)
{
    berth_pax_clear(&pending->pax);
    g_free(pending->path);
    g_free(pending->target);
    *pending = (Pending){0};
}

void berth_tarindex_free(BerthTarIndex *index)
{
    if (index == NULL)
        return;
    pending_clear(&index->pending);
    g_hash_table_unref(index->members);
    g_hash_table_unref(index->tops);
    g_free(index);
}

static bool fail_truncated(GError **error)
{
    berth_error_set(error, BERTH_ERROR_INVALID, "import.read.truncated", FETCH_AGAIN,
                    "the archive ends too early");
    return false;
}

static bool fail_damaged(const BerthTarIndex *index, GError **error)
{
    berth_error_set(error, BERTH_ERROR_INVALID, "import.read.damaged", FETCH_AGAIN,
                    "the archive is damaged (header at byte %" G_GUINT64_FORMAT ")", index->at);
    return false;
}

static bool read_at(const BerthTarIndex *index, guint64 offset, void *buffer, gsize size,
                    GError **error)
{
    if (index->head != NULL) {
        if (size > index->end - offset)
            return fail_truncated(error);
        memcpy(buffer, index->head + offset, size);
        return true;
    }
    for (gsize done = 0; done < size;) {
        ssize_t got =
            pread(index->fd, (guint8 *)buffer + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            berth_error_set_errno(error, errno, "import.read", "read the archive");
            return false;
        }
        if (got == 0)
            return fail_truncated(error);
        done += (gsize)got;
    }
    return true;
}

/* --- names --- */

/* "./a//b" -> "a/b", with ".." taken back lexically; NULL when it leads outside or is too long. */
static char *clean(const char *directory, const char *path)
{
    g_autofree char *joined = g_strconcat(directory, "/", path, NULL);
    if (strlen(joined) > PATH_LIMIT)
        return NULL;

    g_auto(GStrv) names = g_strsplit(joined, "/", -1);
    g_autoptr(GPtrArray) kept = g_ptr_array_new();
    for (gsize i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], "..") == 0 && kept->len == 0)
            return NULL;
        if (strcmp(names[i], "..") == 0)
            g_ptr_array_remove_index(kept, kept->len - 1);
        else if (names[i][0] != '\0' && strcmp(names[i], ".") != 0)
            g_ptr_array_add(kept, names[i]);
    }
    g_ptr_array_add(kept, NULL);
    return g_strjoinv("/", (char **)kept->pdata);
}

static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? g_strdup("") : g_strndup(path, (gsize)(slash - path));
}

static guint64 padded(guint64 size)
{
    return (size + BLOCK - 1) / BLOCK * BLOCK;
}

/* --- headers before a header --- */

static bool take_extended(BerthTarIndex *index, char type, guint64 size, GError **error)
{
    if (size > EXTENDED_LIMIT)
        return fail_damaged(index, error);
    g_autofree char *text = g_malloc0(size + 1);
    if (!read_at(index, index->at + BLOCK, text, size, error))
        return false;

    Pending *pending = &index->pending;
    if (type == 'x')
        return berth_pax_add(&pending->pax, (const guint8 *)text, size, error);
    char **place = type == 'L' ? &pending->path : &pending->target;
    g_free(*place);
    *place = g_steal_pointer(&text);
    return true;
}

/* --- members --- */

static char *member_path(const Pending *pending, const guint8 *header)
{
    const char *named = pending->pax.texts[BERTH_PAX_SPARSE_PATH];
    if (named == NULL)
        named = pending->pax.texts[BERTH_PAX_PATH];
    if (named == NULL)
        named = pending->path;
    g_autofree char *own = berth_header_path(header);
    return clean("", named != NULL ? named : own);
}

/* Where a link leads: NULL if to nowhere in the archive. */
static char *member_target(const Pending *pending, const guint8 *header, const char *path)
{
    const char *named = pending->pax.texts[BERTH_PAX_TARGET];
    if (named == NULL)
        named = pending->target;
    g_autofree char *own = berth_header_target(header);
    const char *target = named != NULL ? named : own;
    bool relative = berth_header_type(header) == '2' && target[0] != '/';
    g_autofree char *from = relative ? directory_of(path) : g_strdup("");
    return clean(from, target);
}

static void add_member(BerthTarIndex *index, const guint8 *header, guint64 size)
{
    char type = berth_header_type(header);
    char *path = member_path(&index->pending, header);
    if (path == NULL)
        return;

    g_hash_table_add(index->tops, g_strndup(path, strcspn(path, "/")));
    Member *member = g_new0(Member, 1);
    member->range = (BerthTarRange){.offset = index->at + BLOCK, .size = size};
    member->sparse = berth_header_is_gnu_sparse(header) || berth_pax_is_sparse(&index->pending.pax);
    if (type == '1' || type == '2')
        member->target = member_target(&index->pending, header, path);
    bool file = type == '0' || type == '\0' || type == '7' || type == 'S';
    if (file || member->target != NULL) {
        g_hash_table_replace(index->members, path, member);
        return;
    }
    g_hash_table_remove(index->members, path); /* replaced by what is no file */
    g_free(path);
    member_free(member);
}

/* GNU's old sparse files have more of their map in blocks before the data. */
static bool skip_sparse_map(BerthTarIndex *index, const guint8 *header, GError **error)
{
    guint8 block[BLOCK];
    bool more = berth_header_map_goes_on(header);
    while (more) {
        index->at += BLOCK;
        if (!read_at(index, index->at, block, BLOCK, error))
            return false;
        more = berth_header_map_block_goes_on(block);
    }
    return true;
}

static bool is_extended(char type)
{
    return type == 'x' || type == 'g' || type == 'L' || type == 'K';
}

/* Bytes of data behind the header. */
static bool data_size(const BerthTarIndex *index, const guint8 *header, guint64 *ret_size)
{
    const BerthPax *pax = &index->pending.pax;
    char type = berth_header_type(header);
    gint64 size = 0;
    if (!berth_header_checksum_is_right(header) ||
        !berth_header_number(header, BERTH_HEADER_LENGTH, &size))
        return false;
    if (!is_extended(type) && pax->has_number[BERTH_PAX_SIZE])
        size = pax->numbers[BERTH_PAX_SIZE];
    if (type >= '1' && type <= '6')
        size = 0; /* whatever is stated, these have no data */
    *ret_size = (guint64)size;
    return size >= 0;
}

static bool take_header(BerthTarIndex *index, const guint8 *header, GError **error)
{
    char type = berth_header_type(header);
    guint64 size = 0;
    if (!data_size(index, header, &size))
        return fail_damaged(index, error);
    if (size > index->end - index->at - BLOCK && index->head == NULL)
        return fail_truncated(error);
    if (berth_header_is_gnu_sparse(header) && !skip_sparse_map(index, header, error))
        return false;

    if (is_extended(type)) {
        if (type != 'g' && !take_extended(index, type, size, error))
            return false;
    } else {
        add_member(index, header, size);
        pending_clear(&index->pending);
    }
    guint64 next = index->at + BLOCK + padded(size);
    index->at = MIN(next, index->end); /* the last member's padding may be missing */
    return true;
}

static BerthTarIndex *index_new(guint64 offset, guint64 length)
{
    BerthTarIndex *index = g_new0(BerthTarIndex, 1);
    index->members = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, member_free);
    index->tops = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    index->fd = -1;
    index->at = offset;
    index->end = offset + length;
    return index;
}

static bool read_members(BerthTarIndex *index, GError **error)
{
    guint8 header[BLOCK];
    while (index->at < index->end && index->headers++ < 2 * MEMBERS_LIMIT) {
        if (index->end - index->at < BLOCK)
            return fail_truncated(error);
        if (!read_at(index, index->at, header, BLOCK, error))
            return false;
        if (berth_header_is_zero(header))
            index->at = index->end;
        else if (!take_header(index, header, error))
            return false;
        if (g_hash_table_size(index->members) > MEMBERS_LIMIT)
            return true;
    }
    index->complete = index->at >= index->end;
    return true;
}

BerthTarIndex *berth_tarindex_new(int fd, guint64 offset, guint64 length, GError **error)
{
    g_autoptr(BerthTarIndex) index = index_new(offset, length);
    index->fd = fd;
    return read_members(index, error) ? g_steal_pointer(&index) : NULL;
}

bool berth_tarindex_is_complete(const BerthTarIndex *index)
{
    return index->complete;
}

bool berth_tarindex_has_top(const BerthTarIndex *index, const char *name)
{
    return g_hash_table_contains(index->tops, name);
}

static const Member *resolve(const BerthTarIndex *index, const char *path)
{
    const Member *member = g_hash_table_lookup(index->members, path);
    for (guint hops = 0; member != NULL && member->target != NULL; hops++)
        member = hops < HOPS_LIMIT ? g_hash_table_lookup(index->members, member->target) : NULL;
    return member;
}

bool berth_tarindex_has(const BerthTarIndex *index, const char *path)
{
    return resolve(index, path) != NULL;
}

bool berth_tarindex_find(const BerthTarIndex *index, const char *path, BerthTarRange *ret_range,
                         GError **error)
{
    g_autofree char *shown = berth_text_escape(path);
    const Member *member = resolve(index, path);
    if (member == NULL) {
        berth_error_set(error, BERTH_ERROR_NOT_FOUND, "import.image.missing",
                        "the archive is not whole: save the image again",
                        "%s is not in the archive", shown);
        return false;
    }
    if (member->sparse) {
        berth_error_set(error, BERTH_ERROR_INVALID, "import.image.sparse",
                        "pack the image without tar's option --sparse",
                        "%s is stored as a sparse file", shown);
        return false;
    }
    *ret_range = member->range;
    return true;
}

char *berth_tarindex_first_top(const guint8 *head, gsize size)
{
    g_autoptr(BerthTarIndex) index = index_new(0, size);
    index->head = head;
    while (index->end - index->at >= BLOCK) {
        if (!take_header(index, head + index->at, NULL))
            return NULL;
        GHashTableIter iter;
        gpointer top;
        g_hash_table_iter_init(&iter, index->tops);
        while (g_hash_table_iter_next(&iter, &top, NULL)) {
            if (*(const char *)top != '\0')
                return g_strdup(top);
        }
    }
    return NULL;
}
