/* SPDX-License-Identifier: MIT */
#include "diff.h"

#include "base/error.h"
#include "disk/ext4/ext4_read.h"
#include "disk/file/difference.h"
#include "disk/file/output.h"

#include <string.h>

#define CHUNK_SIZE             (1U << 20)
#define FLUSH_SIZE             (1U << 15)
#define PROGRESS_INTERVAL_USEC 100000

/* One of the two images, and the walk's place in it. */
typedef struct {
    const BerthDiffImage *image;
    BerthExt4Reader *reader;
    BerthEntry entry;   /* the current file, unless @ended */
    const GArray *runs; /* its data, borrowed from the reader */
    bool ended;
    guint run; /* the first whose end is not before the place of the comparison */
    guint8 *chunk;
} Side;

typedef struct {
    Side old;
    Side new;
    GHashTable *pairs; /* files with several names in both: the two numbers -> aspects */
    GByteArray *records;
    BerthOutput output;
    BerthProgress progress;
    BerthProgressFunc report;
    gpointer user_data;
    gint64 reported_usec;
} Diff;

static const char type_letters[] = {
    [BERTH_ENTRY_FILE] = 'f',        [BERTH_ENTRY_DIRECTORY] = 'd',    [BERTH_ENTRY_SYMLINK] = 'l',
    [BERTH_ENTRY_CHAR_DEVICE] = 'c', [BERTH_ENTRY_BLOCK_DEVICE] = 'b', [BERTH_ENTRY_FIFO] = 'p',
};

static void side_clear(Side *side)
{
    berth_entry_clear(&side->entry);
    berth_ext4_reader_free(side->reader);
    g_free(side->chunk);
}

static void diff_clear(Diff *diff)
{
    side_clear(&diff->old);
    side_clear(&diff->new);
    g_hash_table_unref(diff->pairs);
    g_byte_array_unref(diff->records);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Diff, diff_clear)

/* --- output --- */

static bool flush(Diff *diff, GError **error)
{
    bool ok = berth_output_write(&diff->output, diff->records->data, diff->records->len, error);
    g_byte_array_set_size(diff->records, 0);
    return ok;
}

static bool report(Diff *diff, GError **error)
{
    gint64 usec = g_get_monotonic_time();
    if (usec - diff->reported_usec < PROGRESS_INTERVAL_USEC)
        return true;
    diff->reported_usec = usec;
    diff->progress.bytes_total = MAX(diff->progress.bytes_total, diff->progress.bytes_done);
    if (diff->report != NULL && !diff->report(&diff->progress, diff->user_data)) {
        berth_error_set(error, BERTH_ERROR_CANCELLED, "diff.cancelled", NULL, "cancelled");
        return false;
    }
    return flush(diff, error);
}

static bool write_record(Diff *diff, BerthDifferenceChange change, guint aspects,
                         const BerthEntry *entry, GError **error)
{
    const BerthDifference difference = {change, type_letters[entry->type], aspects, entry->path};
    berth_difference_write(diff->records, &difference);
    return diff->records->len < FLUSH_SIZE || flush(diff, error);
}

/* --- content --- */

/* Where the next data of @side begins, at @offset or later; the file's size if there is none. */
static guint64 next_data(Side *side, guint64 offset)
{
    for (; side->run < side->runs->len; side->run++) {
        const BerthDataRun *run = &g_array_index(side->runs, BerthDataRun, side->run);
        if (run->offset + run->length > offset)
            return MAX(run->offset, offset);
    }
    return (guint64)side->entry.size;
}

/* Read @size bytes of the file at @offset into the chunk; holes are zeros. */
static bool read_chunk(Side *side, guint64 offset, gsize size, GError **error)
{
    memset(side->chunk, 0, size);
    for (guint i = side->run; i < side->runs->len; i++) {
        const BerthDataRun *run = &g_array_index(side->runs, BerthDataRun, i);
        if (run->offset >= offset + size)
            break;
        guint64 from = MAX(run->offset, offset);
        guint64 end = MIN(run->offset + run->length, offset + size);
        if (!berth_ext4_reader_read(side->reader, run->position + (from - run->offset),
                                    side->chunk + (from - offset), (gsize)(end - from), error)) {
            g_prefix_error(error, "%s: ", side->image->name);
            return false;
        }
    }
    return true;
}

/* Compare the content of two files of the same size. */
static bool compare_content(Diff *diff, bool *ret_same, GError **error)
{
    guint64 size = (guint64)diff->old.entry.size;
    diff->old.run = diff->new.run = 0;
    *ret_same = true;
    for (guint64 offset = 0; *ret_same;) {
        offset = MIN(next_data(&diff->old, offset), next_data(&diff->new, offset));
        if (offset >= size)
            return true;
        gsize part = (gsize)MIN(size - offset, (guint64)CHUNK_SIZE);
        if (!read_chunk(&diff->old, offset, part, error) ||
            !read_chunk(&diff->new, offset, part, error))
            return false;
        *ret_same = memcmp(diff->old.chunk, diff->new.chunk, part) == 0;
        offset += part;
        diff->progress.bytes_done += 2 * part;
        if (!report(diff, error))
            return false;
    }
    return true;
}

static guint64 *pair_of(const Diff *diff)
{
    BerthExt4Identity old = berth_ext4_reader_identity(diff->old.reader);
    BerthExt4Identity new = berth_ext4_reader_identity(diff->new.reader);
    if (old.links < 2 || new.links < 2)
        return NULL;
    guint64 *pair = g_new(guint64, 1);
    *pair = (guint64)old.number << 32 | new.number;
    return pair;
}

/* As compare_content, but once only for two files that both have several names. */
static bool is_content_same(Diff *diff, bool *ret_same, GError **error)
{
    g_autofree guint64 *pair = pair_of(diff);
    gpointer known = NULL;
    *ret_same = false;
    if (diff->old.entry.size != diff->new.entry.size)
        return true;
    if (pair != NULL && g_hash_table_lookup_extended(diff->pairs, pair, NULL, &known)) {
        *ret_same = GPOINTER_TO_INT(known) != 0;
        return true;
    }
    if (!compare_content(diff, ret_same, error))
        return false;
    if (pair != NULL)
        g_hash_table_insert(diff->pairs, g_steal_pointer(&pair), GINT_TO_POINTER(*ret_same));
    return true;
}

/* --- the rest of a file --- */

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(((const BerthXattr *)a)->name, ((const BerthXattr *)b)->name);
}

static bool are_xattrs_same(const GArray *old, const GArray *new)
{
    guint count = old != NULL ? old->len : 0;
    if (count != (new != NULL ? new->len : 0))
        return false;
    for (guint i = 0; i < count; i++) {
        const BerthXattr *one = &g_array_index(old, BerthXattr, i);
        const BerthXattr *other = &g_array_index(new, BerthXattr, i);
        if (strcmp(one->name, other->name) != 0 || !g_bytes_equal(one->value, other->value))
            return false;
    }
    return true;
}

/* What of two files of the same type differs, but for their content. */
static guint compare_fields(const BerthEntry *old, const BerthEntry *new)
{
    const struct {
        guint aspect;
        bool differs;
    } fields[] = {
        {BERTH_DIFFERENCE_TARGET, g_strcmp0(old->target, new->target) != 0},
        {BERTH_DIFFERENCE_DEVICE, old->major != new->major || old->minor != new->minor},
        {BERTH_DIFFERENCE_OWNER, old->uid != new->uid || old->gid != new->gid},
        {BERTH_DIFFERENCE_MODE, old->mode != new->mode},
        {BERTH_DIFFERENCE_ATTRIBUTES, !are_xattrs_same(old->xattrs, new->xattrs)},
    };
    guint aspects = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(fields); i++)
        aspects |= fields[i].differs ? fields[i].aspect : 0;
    return aspects;
}

static bool compare_files(Diff *diff, GError **error)
{
    const BerthEntry *old = &diff->old.entry, *new = &diff->new.entry;
    guint aspects = BERTH_DIFFERENCE_TYPE;
    if (old->type == new->type) {
        bool same = true;
        if (old->type == BERTH_ENTRY_FILE && !is_content_same(diff, &same, error))
            return false;
        aspects = compare_fields(old, new) | (same ? 0 : BERTH_DIFFERENCE_CONTENT);
    }
    return aspects == 0 || write_record(diff, BERTH_DIFFERENCE_CHANGED, aspects, new, error);
}

/* --- the walk --- */

/* Order paths as ext4_read does: a directory's content directly after it. */
static int compare_paths(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    int first = *a == '/' ? 1 : *a == '\0' ? 0 : 1 + (guint8)*a;
    int second = *b == '/' ? 1 : *b == '\0' ? 0 : 1 + (guint8)*b;
    return first - second;
}

/* Below 0: the next file is only in the old image; above: only in the new one. */
static int compare_places(const Diff *diff)
{
    if (diff->old.ended || diff->new.ended)
        return diff->old.ended - diff->new.ended;
    return compare_paths(diff->old.entry.path, diff->new.entry.path);
}

static bool advance(Diff *diff, Side *side, GError **error)
{
    berth_entry_clear(&side->entry);
    side->entry = (BerthEntry){0};
    if (!berth_ext4_reader_next(side->reader, &side->entry, &side->runs, &side->ended, error)) {
        g_prefix_error(error, "%s: ", side->image->name);
        return false;
    }
    if (side->entry.xattrs != NULL)
        g_array_sort(side->entry.xattrs, compare_names);
    diff->progress.entries += !side->ended;
    return report(diff, error);
}

static bool step(Diff *diff, GError **error)
{
    int order = compare_places(diff);
    bool ok = order < 0   ? write_record(diff, BERTH_DIFFERENCE_DELETED, 0, &diff->old.entry, error)
              : order > 0 ? write_record(diff, BERTH_DIFFERENCE_ADDED, 0, &diff->new.entry, error)
                          : compare_files(diff, error);
    return ok && (order > 0 || advance(diff, &diff->old, error)) &&
           (order < 0 || advance(diff, &diff->new, error));
}

static bool open_side(Diff *diff, Side *side, const BerthDiffImage *image, GError **error)
{
    side->image = image;
    side->reader = berth_ext4_reader_new(image->fd, error);
    if (side->reader == NULL) {
        g_prefix_error(error, "%s: ", image->name);
        return false;
    }
    berth_ext4_reader_resolve_links(side->reader);
    side->chunk = g_malloc(CHUNK_SIZE);
    diff->progress.bytes_total += berth_ext4_reader_used(side->reader);
    return true;
}

bool berth_diff_images(const BerthDiffImage *old, const BerthDiffImage *new, int output,
                       BerthProgressFunc progress, gpointer user_data, guint64 *ret_entries,
                       GError **error)
{
    g_auto(Diff) diff = {.output = {.fd = output}, .report = progress, .user_data = user_data};
    diff.pairs = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    diff.records = g_byte_array_new();
    if (!open_side(&diff, &diff.old, old, error) || !open_side(&diff, &diff.new, new, error) ||
        !advance(&diff, &diff.old, error) || !advance(&diff, &diff.new, error))
        return false;
    while (!diff.old.ended || !diff.new.ended)
        if (!step(&diff, error)) {
            flush(&diff, NULL); /* what was found is right */
            return false;
        }
    *ret_entries = diff.progress.entries;
    return flush(&diff, error);
}
