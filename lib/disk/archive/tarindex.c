/* SPDX-License-Identifier: MIT */
#include "tarindex.h"

#include "header.h"
#include "ext_headers.h"

#include "base/error.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define BLOCK          BERTH_HEADER_SIZE
#define MEMBERS_LIMIT  100000U
#define EXTENDED_LIMIT (1U << 20) /* bytes of a pax header or a long name */
#define PATH_LIMIT     4096U
#define HOPS_LIMIT     16U
#define FETCH_AGAIN    "fetch or copy the file again"

typedef struct {
    BerthTarRange range;
    char *target; /* of links: normalised, relative to the archive's root */
    bool sparse;
} Member;

struct BerthTarIndex {
    GHashTable *members; /* path -> Member */
    GHashTable *tops;    /* first components */
    bool complete;

    int fd;
    const guint8 *head; /* used instead of fd: the beginning of a tar, in memory */
    guint64 at;         /* offset of the next header */
    guint64 end;
    guint headers;
    BerthExtHeaders ext_headers;
};

static void member_free(gpointer data)
{
    Member *member = data;
    g_free(member->target);
    g_free(member);
}

void berth_tarindex_free(BerthTarIndex *index)
{
    if (index == NULL)
        return;
    berth_ext_headers_clear(&index->ext_headers);
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

/* "./a//b" -> "a/b"; ".." is resolved lexically. NULL if the path leads outside or is too long. */
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

/* --- members --- */

/* The target of a link, or NULL if it leads outside the archive. */
static char *member_target(const BerthFacts *facts, char type, const char *path)
{
    bool relative = type == '2' && facts->target[0] != '/';
    g_autofree char *from = relative ? directory_of(path) : g_strdup("");
    return clean(from, facts->target);
}

static void add_member(BerthTarIndex *index, char type, const BerthFacts *facts)
{
    char *path = clean("", facts->path);
    if (path == NULL)
        return;

    g_hash_table_add(index->tops, g_strndup(path, strcspn(path, "/")));
    Member *member = g_new0(Member, 1);
    member->range = (BerthTarRange){.offset = index->at + BLOCK, .size = (guint64)facts->data_size};
    member->sparse = facts->is_sparse;
    if (type == '1' || type == '2')
        member->target = member_target(facts, type, path);
    bool file = type == '0' || type == '\0' || type == '7' || type == 'S';
    if (file || member->target != NULL) {
        g_hash_table_replace(index->members, path, member);
        return;
    }
    g_hash_table_remove(index->members, path); /* replaced by something other than a file */
    g_free(path);
    member_free(member);
}

/* --- headers --- */

/* The map of GNU's old sparse format continues in blocks before the data. */
static bool skip_sparse_map(BerthTarIndex *index, GError **error)
{
    guint8 block[BLOCK];
    do {
        index->at += BLOCK;
        if (!read_at(index, index->at, block, BLOCK, error))
            return false;
    } while (berth_header_map_block_is_extended(block));
    return true;
}

/* The padding of the last member may be missing. */
static void skip_data(BerthTarIndex *index, guint64 size)
{
    guint64 next = index->at + BLOCK + berth_header_padded(size);
    index->at = MIN(next, index->end);
}

static bool check_end(const BerthTarIndex *index, guint64 size, GError **error)
{
    return index->head != NULL || size <= index->end - index->at - BLOCK || fail_truncated(error);
}

/* Read an extended header (a pax header or GNU's long name), which describes the next member. */
static bool handle_ext_header(BerthTarIndex *index, const guint8 *header, GError **error)
{
    gint64 size = 0;
    if (!berth_header_number(header, BERTH_HEADER_LENGTH, &size) || size < 0 ||
        size > EXTENDED_LIMIT)
        return fail_damaged(index, error);
    g_autofree guint8 *body = g_malloc((gsize)size + 1);
    if (!check_end(index, (guint64)size, error) ||
        !read_at(index, index->at + BLOCK, body, (gsize)size, error) ||
        !berth_ext_headers_add(&index->ext_headers, berth_header_type(header), body, (gsize)size,
                               error))
        return false;
    skip_data(index, (guint64)size);
    return true;
}

static bool handle_member(BerthTarIndex *index, const guint8 *header, GError **error)
{
    g_auto(BerthFacts) facts = {0};
    if (!berth_ext_headers_resolve(&index->ext_headers, header, &facts, NULL, error) ||
        !check_end(index, (guint64)facts.data_size, error) ||
        (facts.has_map_in_blocks && !skip_sparse_map(index, error)))
        return false;
    add_member(index, berth_header_type(header), &facts);
    skip_data(index, (guint64)facts.data_size);
    return true;
}

static bool handle_header(BerthTarIndex *index, const guint8 *header, GError **error)
{
    if (!berth_header_checksum_is_right(header))
        return fail_damaged(index, error);
    return berth_ext_headers_is_special(berth_header_type(header))
               ? handle_ext_header(index, header, error)
               : handle_member(index, header, error);
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
        else if (!handle_header(index, header, error))
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
        if (!handle_header(index, head + index->at, NULL))
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
