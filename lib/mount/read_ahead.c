/* SPDX-License-Identifier: MIT */
#include "read_ahead.h"

#include <fcntl.h>

#define WINDOW    (1024u * 1024u) /* bytes ahead of the reader */
#define LEAST     65536u /* bytes of a read that looks like the kernel's own reading ahead */
#define STREAK    2u     /* reads in a row that make a reader sequential */
#define TOTAL_MAX 128u   /* blocks of all files */
#define AGE_USEC  G_USEC_PER_SEC
/* The kernel's own uniques do not reach it. */
#define UNIQUE_FIRST (G_GUINT64_CONSTANT(1) << 63)

typedef struct {
    guint64 unique, handle, offset;
    guint32 size;
    gint64 asked; /* when */
    GBytes *data; /* NULL: it is still to come */
    bool waited;  /* for it, by the kernel's: */
    BerthMountRead read;
    bool dropped; /* what comes is of before a change */
} Block;

/* A reader of an open file. */
typedef struct {
    guint64 next, planned; /* offsets */
    guint streak;
} Reader;

struct BerthMountAhead {
    GHashTable *readers; /* handle -> Reader */
    GHashTable *blocks;  /* by unique; a block is its own key */
    guint64 last;
};

static void block_free(gpointer data)
{
    Block *block = data;
    g_clear_pointer(&block->data, g_bytes_unref);
    g_free(block);
}

BerthMountAhead *berth_mount_ahead_new(void)
{
    BerthMountAhead *ahead = g_new0(BerthMountAhead, 1);
    ahead->readers = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    ahead->blocks = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, block_free);
    ahead->last = UNIQUE_FIRST;
    return ahead;
}

void berth_mount_ahead_free(BerthMountAhead *ahead)
{
    g_hash_table_unref(ahead->readers);
    g_hash_table_unref(ahead->blocks);
    g_free(ahead);
}

/* ---- readers ---- */

static Reader *reader_of(BerthMountAhead *ahead, guint64 handle)
{
    Reader *reader = g_hash_table_lookup(ahead->readers, &handle);
    if (reader == NULL) {
        reader = g_new0(Reader, 1);
        g_hash_table_insert(ahead->readers, g_memdup2(&handle, sizeof(handle)), reader);
    }
    return reader;
}

/* Two readings ahead of the kernel's may arrive in either order. */
static void count_read(Reader *reader, const BerthMountRead *read)
{
    guint64 end = read->in.offset + read->in.size;
    bool near = read->in.offset <= reader->next && end + read->in.size >= reader->next;
    reader->streak = near && reader->next > 0 ? reader->streak + 1 : 0;
    if (reader->streak == 0)
        reader->planned = 0;
    reader->next = reader->streak > 0 ? MAX(reader->next, end) : end;
}

/* ---- blocks ---- */

/* The block that answers @read; one that cannot any more is removed. */
static Block *find_block(BerthMountAhead *ahead, const BerthMountRead *read, gint64 now)
{
    GHashTableIter iter;
    gpointer value;
    g_hash_table_iter_init(&iter, ahead->blocks);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Block *block = value;
        bool fits = block->handle == read->in.fh && block->offset == read->in.offset &&
                    block->size == read->in.size && !block->waited && !block->dropped;
        bool old = now - block->asked > AGE_USEC;
        if (fits && !old)
            return block;
        if (old && block->data != NULL)
            g_hash_table_iter_remove(&iter);
    }
    return NULL;
}

BerthAheadResult berth_mount_ahead_read(BerthMountAhead *ahead, const BerthMountRead *read,
                                        gint64 now, GBytes **ret_data)
{
    count_read(reader_of(ahead, read->in.fh), read);
    Block *block = find_block(ahead, read, now);
    if (block == NULL)
        return BERTH_AHEAD_UNKNOWN;
    if (block->data != NULL) {
        *ret_data = g_bytes_ref(block->data);
        g_hash_table_remove(ahead->blocks, &block->unique);
        return BERTH_AHEAD_READY;
    }
    block->waited = true;
    block->read = *read;
    return BERTH_AHEAD_COMING;
}

static void add_block(BerthMountAhead *ahead, const BerthMountRead *read, guint64 offset,
                      gint64 now, GArray *out)
{
    BerthMountRead next = *read;
    next.header.len = sizeof(next);
    next.header.unique = ++ahead->last;
    next.in.offset = offset;
    Block *block = g_new0(Block, 1);
    *block = (Block){.unique = next.header.unique,
                     .handle = read->in.fh,
                     .offset = offset,
                     .size = read->in.size,
                     .asked = now};
    g_hash_table_insert(ahead->blocks, &block->unique, block);
    g_array_append_val(out, next);
}

void berth_mount_ahead_plan(BerthMountAhead *ahead, const BerthMountRead *read, gint64 now,
                            GArray *out)
{
    Reader *reader = reader_of(ahead, read->in.fh);
    if (reader->streak < STREAK || read->in.size < LEAST)
        return;
    guint64 offset = MAX(reader->planned, reader->next);
    while (offset + read->in.size <= reader->next + WINDOW &&
           g_hash_table_size(ahead->blocks) < TOTAL_MAX) {
        add_block(ahead, read, offset, now, out);
        offset += read->in.size;
    }
    reader->planned = offset;
}

bool berth_mount_ahead_answered(BerthMountAhead *ahead, guint64 unique, const void *data,
                                gsize size, BerthMountRead *ret_read, bool *ret_whole)
{
    Block *block = g_hash_table_lookup(ahead->blocks, &unique);
    if (block == NULL || block->data != NULL)
        return false;
    bool whole = size == block->size, waited = block->waited;
    *ret_read = block->read;
    *ret_whole = whole;
    if (whole && !waited && !block->dropped) {
        block->data = g_bytes_new(data, size);
        return false;
    }
    Reader *reader = whole ? NULL : g_hash_table_lookup(ahead->readers, &block->handle);
    if (reader != NULL)
        reader->streak = 0; /* the file ends */
    g_hash_table_remove(ahead->blocks, &unique);
    return waited;
}

/* ---- dropping ---- */

/* A read that waits was asked for before the change, and may show either. */
static gboolean drop_block(gpointer unused, gpointer value, gpointer data)
{
    Block *block = value;
    block->dropped = true;
    return block->data != NULL;
}

void berth_mount_ahead_drop(BerthMountAhead *ahead)
{
    GHashTableIter iter;
    gpointer reader;
    if (g_hash_table_size(ahead->blocks) == 0)
        return;
    g_hash_table_foreach_remove(ahead->blocks, drop_block, NULL);
    g_hash_table_iter_init(&iter, ahead->readers);
    while (g_hash_table_iter_next(&iter, NULL, &reader))
        ((Reader *)reader)->planned = 0;
}

static gboolean is_of_handle(gpointer unused, gpointer value, gpointer handle)
{
    Block *block = value;
    block->dropped = block->dropped || block->handle == *(guint64 *)handle;
    return block->data != NULL && block->handle == *(guint64 *)handle;
}

void berth_mount_ahead_release(BerthMountAhead *ahead, guint64 handle)
{
    g_hash_table_foreach_remove(ahead->blocks, is_of_handle, &handle);
    g_hash_table_remove(ahead->readers, &handle);
}

void berth_mount_ahead_clear(BerthMountAhead *ahead)
{
    g_hash_table_remove_all(ahead->blocks);
    g_hash_table_remove_all(ahead->readers);
}

bool berth_mount_ahead_is_change(const struct fuse_in_header *message)
{
    const struct fuse_open_in *open = (const struct fuse_open_in *)(message + 1);
    switch (message->opcode) {
    case FUSE_OPEN:
        return message->len >= sizeof(*message) + sizeof(*open) && (open->flags & O_TRUNC) != 0;
    case FUSE_WRITE:
    case FUSE_SETATTR:
    case FUSE_FALLOCATE:
    case FUSE_COPY_FILE_RANGE:
    case FUSE_CREATE:
        return true;
    default:
        return false;
    }
}
