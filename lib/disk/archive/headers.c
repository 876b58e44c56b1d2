/* SPDX-License-Identifier: MIT */
#include "headers.h"

#include "header.h"

#include "base/error.h"

#include <string.h>

#define FETCH_AGAIN "fetch or copy the file again"

/* The map in front of the data of a PAX 1.0 sparse file: the number of pieces, then two numbers for
 * each, a line for every one. It is only bounded here; libarchive reads it. */
typedef struct {
    bool active;
    bool counted;
    guint64 lines; /* still to come; before @counted the number of pieces as far as it was seen */
    guint64 size;
} MapWalk;

struct BerthHeaders {
    BerthStream *stream;
    char *name;
    GPtrArray *warnings;
    GError *failure;
    guint64 entries;
    guint64 entries_limit;
    bool warned_of_kinds;
    GQueue facts; /* BerthFacts */
    BerthExtHeaders ext_headers;

    /* What is handed on: first @run bytes of the block, then @made, then the block again. */
    const guint8 *block;
    gsize left; /* of the block */
    gsize run;
    GByteArray *made;
    GByteArray *lent; /* what was made and is in the reader's hands */
    guint64 forwarded;

    /* What comes next in the archive, the first that is not 0; then a header. */
    gsize header; /* bytes of an entry's header, looked at already */
    gsize blocks; /* size so far of a GNU sparse map that goes on in the next block */
    guint64 data; /* bytes of data and padding */
    guint64 body; /* bytes of a special header's body and its padding */
    bool ended;

    GByteArray *split; /* the beginning of a header that two blocks share */
    GByteArray *special;
    gsize special_size;
    char special_type;
    MapWalk map;
};

static void facts_free(gpointer data)
{
    berth_facts_clear(data);
    g_free(data);
}

BerthHeaders *berth_headers_new(BerthStream *stream, const char *name, const guint8 *head,
                                gsize head_size)
{
    BerthHeaders *headers = g_new0(BerthHeaders, 1);
    headers->stream = stream;
    headers->name = g_strdup(name);
    headers->block = head;
    headers->left = head_size;
    headers->entries_limit = BERTH_HEADERS_ENTRIES_LIMIT;
    headers->warnings = g_ptr_array_new_with_free_func(g_free);
    headers->made = g_byte_array_new();
    headers->lent = g_byte_array_new();
    headers->split = g_byte_array_new();
    headers->special = g_byte_array_new();
    g_queue_init(&headers->facts);
    return headers;
}

void berth_headers_free(BerthHeaders *headers)
{
    if (headers == NULL)
        return;
    g_queue_clear_full(&headers->facts, facts_free);
    berth_ext_headers_clear(&headers->ext_headers);
    g_byte_array_unref(headers->made);
    g_byte_array_unref(headers->lent);
    g_byte_array_unref(headers->split);
    g_byte_array_unref(headers->special);
    g_ptr_array_unref(headers->warnings);
    g_clear_error(&headers->failure);
    g_free(headers->name);
    g_free(headers);
}

void berth_headers_limit_entries(BerthHeaders *headers, guint64 limit)
{
    headers->entries_limit = limit;
}

static bool fail(BerthHeaders *headers, const char *id, const char *hint, const char *message)
{
    berth_error_set(&headers->failure, BERTH_ERROR_INVALID, id, hint, "%s", message);
    return false;
}

static bool damaged(BerthHeaders *headers, const char *what)
{
    g_autofree char *message = g_strdup_printf("the archive is damaged here (%s)", what);
    return fail(headers, "import.read.damaged", FETCH_AGAIN, message);
}

static bool too_large(BerthHeaders *headers, const char *message)
{
    return fail(headers, "import.read.too-large", NULL, message);
}

static void warn(BerthHeaders *headers, const char *text)
{
    g_ptr_array_add(headers->warnings, g_strdup_printf("%s: %s", headers->name, text));
}

static guint64 padded(guint64 size)
{
    return (size + BERTH_HEADER_SIZE - 1) / BERTH_HEADER_SIZE * BERTH_HEADER_SIZE;
}

static void append_zeros(GByteArray *bytes, gsize size)
{
    guint old = bytes->len;
    g_byte_array_set_size(bytes, old + (guint)size);
    memset(bytes->data + old, 0, size);
}

/* --- headers --- */

static bool finish_special(BerthHeaders *headers)
{
    return berth_ext_headers_add(&headers->ext_headers, headers->special_type,
                                 headers->special->data, headers->special_size, &headers->failure);
}

static bool begin_special(BerthHeaders *headers, const guint8 *header)
{
    gint64 size = 0;
    if (!berth_header_checksum_is_right(header))
        return damaged(headers, "a header's checksum is wrong");
    if (!berth_header_number(header, BERTH_HEADER_LENGTH, &size) || size < 0)
        return damaged(headers, "the size is no number");
    if (size > BERTH_HEADERS_BODY_LIMIT)
        return too_large(headers, "a header has more than 1 MiB of names and attributes");
    headers->special_type = berth_header_type(header);
    headers->special_size = (gsize)size;
    headers->body = padded((guint64)size);
    g_byte_array_set_size(headers->special, 0);
    return headers->body > 0 || finish_special(headers);
}

/* @position: where the entry begins in what is handed on. */
static bool begin_entry(BerthHeaders *headers, const guint8 *header, guint64 position)
{
    if (!berth_header_checksum_is_right(header))
        return damaged(headers, "a header's checksum is wrong");
    if (++headers->entries > headers->entries_limit) {
        g_autofree char *text = g_strdup_printf(
            "the archive has more than %" G_GUINT64_FORMAT " entries", headers->entries_limit);
        return too_large(headers, text);
    }

    BerthFacts *facts = g_new0(BerthFacts, 1);
    g_queue_push_tail(&headers->facts, facts);
    facts->position = position;
    g_autoptr(GByteArray) records = g_byte_array_new();
    if (!berth_ext_headers_resolve(&headers->ext_headers, header, facts, records,
                                   &headers->failure)) {
        facts_free(g_queue_pop_tail(&headers->facts));
        return false;
    }

    if (records->len > 0) {
        berth_header_append_pax(headers->made, records->len);
        g_byte_array_append(headers->made, records->data, records->len);
        append_zeros(headers->made, (gsize)padded(records->len) - records->len);
    }
    if (facts->is_of_unknown_kind && !headers->warned_of_kinds)
        warn(headers, "entries of an unknown kind were read as files");
    headers->warned_of_kinds = headers->warned_of_kinds || facts->is_of_unknown_kind;
    bool stray = berth_header_has_stray_tail(header);
    if (stray)
        berth_header_append_clean(headers->made, header);
    headers->header = stray ? 0 : BERTH_HEADER_SIZE;
    headers->blocks = facts->has_map_in_blocks ? BERTH_HEADER_SIZE : 0;
    headers->data = padded((guint64)facts->data_size);
    headers->map = (MapWalk){.active = facts->has_map_in_data};
    return true;
}

/* A block of zeros. A lone one ends the archive too, as it does for GNU tar and libarchive. */
static bool end_archive(BerthHeaders *headers)
{
    if (berth_ext_headers_is_pending(&headers->ext_headers))
        return damaged(headers, "a header belongs to no entry");
    headers->ended = true;
    append_zeros(headers->made, (gsize)2 * BERTH_HEADER_SIZE);
    return true;
}

/* Nothing comes any more. */
static bool end_stream(BerthHeaders *headers)
{
    if (headers->header > 0 || headers->blocks > 0 || headers->data > 0 || headers->body > 0 ||
        headers->split->len > 0 || berth_ext_headers_is_pending(&headers->ext_headers))
        return fail(headers, "import.read.truncated", FETCH_AGAIN, "the archive ends too early");
    headers->ended = true;
    warn(headers, "the end mark is missing: the archive may have been cut");
    return true;
}

/* Whether @block ends what is handed on in one piece: it is not handed on itself. */
static bool is_withheld(const BerthHeaders *headers, const guint8 *block)
{
    return headers->blocks == 0 &&
           (berth_header_is_zero(block) || berth_ext_headers_is_special(berth_header_type(block)) ||
            berth_header_has_stray_tail(block));
}

static bool walk_map_block(BerthHeaders *headers, const guint8 *block)
{
    headers->blocks += BERTH_HEADER_SIZE;
    if (headers->blocks > BERTH_HEADERS_MAP_LIMIT)
        return too_large(headers, "a sparse file has a map of more than 8 MiB");
    if (!berth_header_map_block_is_extended(block))
        headers->blocks = 0;
    headers->header = BERTH_HEADER_SIZE;
    return true;
}

/* A whole block where a header may stand. headers->header is then what of it is handed on as it
 * is: all of an entry's, but for one that is replaced. */
static bool walk_block(BerthHeaders *headers, const guint8 *block)
{
    if (headers->blocks > 0)
        return walk_map_block(headers, block);
    if (berth_header_is_zero(block))
        return end_archive(headers);
    if (berth_ext_headers_is_special(berth_header_type(block)))
        return begin_special(headers, block);
    return begin_entry(headers, block, headers->forwarded + headers->run);
}

/* --- bytes --- */

static void drop(BerthHeaders *headers, gsize size)
{
    headers->block += size;
    headers->left -= size;
}

static bool walk_body(BerthHeaders *headers)
{
    gsize size = (gsize)MIN(headers->body, headers->left);
    g_byte_array_append(headers->special, headers->block, (guint)size);
    drop(headers, size);
    headers->body -= size;
    return headers->body > 0 || finish_special(headers);
}

/* A header that two blocks share is put together, and handed on as one of ours. */
static bool walk_split(BerthHeaders *headers)
{
    gsize size = MIN(BERTH_HEADER_SIZE - headers->split->len, headers->left);
    g_byte_array_append(headers->split, headers->block, (guint)size);
    drop(headers, size);
    if (headers->split->len < BERTH_HEADER_SIZE)
        return true;

    g_autoptr(GByteArray) block = g_steal_pointer(&headers->split);
    headers->split = g_byte_array_new();
    if (!walk_block(headers, block->data))
        return false;
    g_byte_array_append(headers->made, block->data, (guint)headers->header);
    headers->header = 0;
    return true;
}

static bool walk_map(BerthHeaders *headers, const guint8 *data, gsize size)
{
    MapWalk *map = &headers->map;
    for (gsize i = 0; i < size && map->active; i++) {
        if (++map->size > BERTH_HEADERS_MAP_LIMIT || map->lines > BERTH_HEADERS_MAP_LIMIT)
            return too_large(headers, "a sparse file has a map of more than 8 MiB");
        if (data[i] == '\n') {
            map->lines = map->counted ? map->lines - 1 : 2 * map->lines;
            map->counted = true;
            map->active = map->lines > 0;
        } else if (!g_ascii_isdigit(data[i])) {
            return damaged(headers, "a sparse map is not made of numbers");
        } else if (!map->counted) {
            map->lines = map->lines * 10 + (guint64)(data[i] - '0');
        }
    }
    return true;
}

/* Look at some more of the block, behind the run. False when the run must be handed on first. */
static bool walk(BerthHeaders *headers)
{
    const guint8 *here = headers->block + headers->run;
    gsize left = headers->left - headers->run;
    if (headers->header > 0) {
        g_assert(left >= headers->header);
        headers->run += headers->header;
        headers->header = 0;
    } else if (headers->blocks == 0 && headers->data > 0) {
        gsize size = (gsize)MIN(headers->data, left);
        walk_map(headers, here, size);
        headers->data -= size;
        headers->run += size;
    } else if (headers->run > 0 && (left < BERTH_HEADER_SIZE || is_withheld(headers, here))) {
        return false;
    } else if (headers->body > 0) {
        walk_body(headers);
    } else if (headers->split->len > 0 || left < BERTH_HEADER_SIZE) {
        walk_split(headers);
    } else if (walk_block(headers, here) && headers->header == 0) {
        drop(headers, BERTH_HEADER_SIZE);
    }
    return true;
}

static void hand_on(BerthHeaders *headers, const guint8 *data, gsize size, const guint8 **ret_data,
                    gsize *ret_size)
{
    *ret_data = data;
    *ret_size = size;
    headers->forwarded += size;
}

static bool read_block(BerthHeaders *headers, GError **error)
{
    if (!berth_stream_read(headers->stream, &headers->block, &headers->left, error))
        return false;
    if (headers->left == 0 && !headers->ended)
        end_stream(headers);
    return true;
}

bool berth_headers_read(BerthHeaders *headers, const guint8 **ret_data, gsize *ret_size,
                        GError **error)
{
    g_byte_array_set_size(headers->lent, 0);
    *ret_size = 0;
    for (;;) {
        bool more = headers->made->len == 0 && headers->failure == NULL && !headers->ended;
        if (more && headers->run < headers->left && walk(headers))
            continue;
        if (headers->run > 0) {
            hand_on(headers, headers->block, headers->run, ret_data, ret_size);
            drop(headers, headers->run);
            headers->run = 0;
            return true;
        }
        if (headers->made->len > 0) {
            GByteArray *made = headers->made;
            headers->made = headers->lent;
            headers->lent = made;
            hand_on(headers, made->data, made->len, ret_data, ret_size);
            return true;
        }
        if (headers->failure != NULL) {
            g_propagate_error(error, g_error_copy(headers->failure));
            return false;
        }
        if (headers->ended)
            return true;
        if (!read_block(headers, error))
            return false;
    }
}

bool berth_headers_next(BerthHeaders *headers, BerthFacts *ret_facts)
{
    BerthFacts *facts = g_queue_pop_head(&headers->facts);
    if (facts == NULL)
        return false;
    *ret_facts = *facts;
    g_free(facts);
    return true;
}

/* --- behind the end --- */

/* Where the first block that is not zeros begins, as far as this piece goes. */
static bool find_block(const guint8 *data, gsize size, const guint8 **ret_block)
{
    for (gsize at = 0; at + BERTH_HEADER_SIZE <= size; at += BERTH_HEADER_SIZE) {
        if (berth_header_is_zero(data + at))
            continue;
        *ret_block = data + at;
        return true;
    }
    return false;
}

bool berth_headers_drain(BerthHeaders *headers, GError **error)
{
    bool looking = true;
    for (;;) {
        const guint8 *block = NULL;
        if (looking && find_block(headers->block, headers->left, &block)) {
            looking = false;
            if (berth_header_checksum_is_right(block))
                warn(headers, "another archive follows the first: it was left out");
        }
        if (!read_block(headers, error))
            return false;
        if (headers->left == 0)
            return true;
    }
}

const GPtrArray *berth_headers_warnings(const BerthHeaders *headers)
{
    return headers->warnings;
}
