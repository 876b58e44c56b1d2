/* SPDX-License-Identifier: MIT
 *
 * Properties of a directory's format that e2fsck does not check; test-disk-ext4.c has the others.
 */
#include "disk/ext4/dirblock.h"

#include <string.h>

/* The names live in @chunk. */
static GArray *make_entries(GStringChunk *chunk, guint count, guint32 hash_step)
{
    GArray *entries = g_array_new(false, false, sizeof(BerthDirent));
    for (guint i = 0; i < count; i++) {
        g_autofree char *name = g_strdup_printf("name-%u", i);
        BerthDirent entry = {.name = g_string_chunk_insert(chunk, name),
                             .inode = 100 + i,
                             .type = BERTH_DIRENT_FILE,
                             .hash = (count - i) * hash_step & ~1U};
        g_array_append_val(entries, entry);
    }
    return entries;
}

static guint32 get32(const guint8 *at)
{
    return (guint32)(at[0] | at[1] << 8 | at[2] << 16) | (guint32)at[3] << 24;
}

static guint get16(const guint8 *at)
{
    return at[0] | (guint)at[1] << 8;
}

static void test_empty(void)
{
    g_autoptr(GArray) entries = make_entries(NULL, 0, 0);
    bool indexed = true;
    g_autoptr(GByteArray) blocks = berth_dirblock_encode(12, 2, entries, &indexed);
    g_assert_false(indexed);
    g_assert_cmpuint(blocks->len, ==, BERTH_BLOCK_SIZE);
    g_assert_cmpuint(get32(blocks->data), ==, 12);
    g_assert_cmpuint(get32(blocks->data + 12), ==, 2);
    g_assert_cmpuint(get16(blocks->data + 16), ==, 4096 - 12 - 12); /* ".." spans the rest */
    g_assert_cmpuint(blocks->data[4096 - 5], ==, 0xde);
}

static void test_same_bytes_for_any_order(void)
{
    g_autoptr(GStringChunk) chunk = g_string_chunk_new(4096);
    bool indexed = false;
    g_autoptr(GArray) forward = make_entries(chunk, 1000, 2);
    g_autoptr(GArray) backward = make_entries(chunk, 1000, 2);
    for (guint i = 0; i < 500; i++) {
        BerthDirent first = g_array_index(backward, BerthDirent, i);
        g_array_index(backward, BerthDirent, i) = g_array_index(backward, BerthDirent, 999 - i);
        g_array_index(backward, BerthDirent, 999 - i) = first;
    }
    g_autoptr(GByteArray) a = berth_dirblock_encode(12, 2, forward, &indexed);
    g_autoptr(GByteArray) b = berth_dirblock_encode(12, 2, backward, &indexed);
    g_assert_true(indexed);
    g_assert_cmpmem(a->data, a->len, b->data, b->len);
}

/* Equal hashes on both sides of a leaf's end are marked, so that the kernel searches the next
 * leaf. */
static void test_collisions_continue(void)
{
    g_autoptr(GStringChunk) chunk = g_string_chunk_new(4096);
    g_autoptr(GArray) entries = make_entries(chunk, 1000, 0);
    bool indexed = false;
    g_autoptr(GByteArray) blocks = berth_dirblock_encode(12, 2, entries, &indexed);
    guint count = get16(blocks->data + 34);
    g_assert_cmpuint(count, >, 2);
    g_assert_cmpuint(count, ==, blocks->len / BERTH_BLOCK_SIZE - 1);
    for (guint i = 1; i < count; i++)
        g_assert_cmpuint(get32(blocks->data + 32 + i * 8), ==, 1);
}

static void test_hashes_ascend(void)
{
    g_autoptr(GStringChunk) chunk = g_string_chunk_new(4096);
    g_autoptr(GArray) entries = make_entries(chunk, 50000, 64);
    bool indexed = false;
    g_autoptr(GByteArray) blocks = berth_dirblock_encode(12, 2, entries, &indexed);
    guint count = get16(blocks->data + 34);
    g_assert_cmpuint(get16(blocks->data + 32), ==, 507);
    g_assert_cmpuint(blocks->data[30], ==, 0);
    guint32 before = 0;
    for (guint i = 1; i < count; i++) {
        guint32 hash = get32(blocks->data + 32 + i * 8);
        g_assert_cmpuint(hash, >, before);
        g_assert_cmpuint(hash & 1, ==, 0);
        g_assert_cmpuint(get32(blocks->data + 36 + i * 8), ==, i + 1);
        before = hash;
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/disk/dirblock/empty", test_empty);
    g_test_add_func("/disk/dirblock/same-bytes-for-any-order", test_same_bytes_for_any_order);
    g_test_add_func("/disk/dirblock/collisions-continue", test_collisions_continue);
    g_test_add_func("/disk/dirblock/hashes-ascend", test_hashes_ascend);
    return g_test_run();
}
