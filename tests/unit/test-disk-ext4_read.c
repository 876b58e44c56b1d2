/* SPDX-License-Identifier: MIT
 *
 * Reading images, valid and damaged.
 */
#include "base/error.h"
#include "disk/ext4/ext4_read.h"
#include "disk/image/export_archive.h"
#include "../lib/patched_image.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Fields of an inode. */
#define MODE       0U
#define SIZE       4U
#define LINKS      26U
#define FLAGS      32U
#define EXTENTS    40U /* header: magic, entries, most, depth, generation; then the first */
#define EXTRA_SIZE 128U
#define ATTRIBUTES 160U /* after 32 bytes of further fields */

static char *read_all(const PatchedImage *image, GError **error)
{
    g_autoptr(BerthExt4Reader) reader = berth_ext4_reader_new(image->fd, error);
    g_autoptr(GString) text = g_string_new(NULL);
    while (reader != NULL) {
        g_auto(BerthEntry) entry = {0};
        const GArray *runs = NULL;
        bool end = false;
        if (!berth_ext4_reader_next(reader, &entry, &runs, &end, error))
            return NULL;
        if (end)
            return g_string_free(g_steal_pointer(&text), false);
        g_assert_cmpint(entry.type == BERTH_ENTRY_FILE, ==, runs != NULL);
        if (!g_str_has_prefix(entry.path, "etc/many/"))
            g_string_append_printf(text, "%s%s%s ", entry.path, entry.target != NULL ? "=" : "",
                                   entry.target != NULL && entry.target[0] != 'x' ? entry.target
                                                                                  : "");
    }
    return NULL;
}

static void test_order(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PatchedImage) image = patched_image_new();
    g_autofree char *text = read_all(image, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(text, ==,
                    " etc etc/inner etc/inner/leaf etc/long-pointer= etc/many etc/os-release "
                    "etc/other etc/pointer=victim etc/victim=etc/other ");
    patched_image_drop_checksums(image);
    g_autofree char *again = read_all(image, &error);
    g_assert_cmpstr(text, ==, again);
}

static void test_runs(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PatchedImage) image = patched_image_new();
    g_autoptr(BerthExt4Reader) reader = berth_ext4_reader_new(image->fd, &error);
    for (bool found = false; !found;) {
        g_auto(BerthEntry) entry = {0};
        const GArray *runs = NULL;
        bool end = false;
        g_assert_true(berth_ext4_reader_next(reader, &entry, &runs, &end, &error) && !end);
        found = strcmp(entry.path, "etc/other") == 0;
        if (!found)
            continue;
        g_assert_cmpint(entry.size, ==, 64 << 10);
        g_assert_cmpuint(runs->len, ==, 2);
        const BerthDataRun *last = &g_array_index(runs, BerthDataRun, 1);
        g_assert_cmpuint(last->offset, ==, 60 << 10);
        guint8 data[4096];
        g_assert_true(berth_ext4_reader_read(reader, last->position, data, sizeof(data), &error));
        g_assert_cmpint(data[0], ==, 'b');
        g_assert_cmpuint(entry.xattrs->len, ==, 2);
    }
}

/* --- damage --- */

static void expect_refused(const PatchedImage *image, const char *id, const char *message)
{
    g_autoptr(GError) error = NULL;
    const BerthExportOptions options = {.format = BERTH_EXPORT_TAR};
    int output = open("/dev/null", O_WRONLY | O_CLOEXEC);
    bool done = berth_export_archive(image->fd, output, &options, NULL, NULL, NULL, &error);
    close(output);
    g_assert_false(done);
    g_assert_cmpstr(berth_error_id(error), ==, id);
    g_assert_null(strchr(error->message, '\n'));
    if (strstr(error->message, message) == NULL)
        g_error("no \"%s\" in \"%s\"", message, error->message);
}

typedef struct {
    const char *name;
    const char *file;
    guint at; /* offset in the inode, or in the directory entry */
    guint size;
    guint64 value;
    const char *message;
} Damage;

static const Damage inode_damages[] = {
    {"kind", "victim", MODE, 2, 0x3000, "unknown type"},
    {"deleted", "victim", LINKS, 2, 0, "deleted file"},
    {"links", "victim", LINKS, 2, 1, "more names than its link count"},
    {"size", "victim", SIZE + 104, 4, 0x7fffffff, "impossible size"},
    {"magic", "victim", EXTENTS, 2, 0, "etc/other"},
    {"entries", "victim", EXTENTS + 2, 2, 5, "etc/other"},
    {"most", "victim", EXTENTS + 4, 2, 0xffff, "etc/other"},
    {"depth", "victim", EXTENTS + 6, 2, 6, "etc/other"},
    {"node-in-nowhere", "victim", EXTENTS + 6, 2, 1, "etc/other"},
    {"extent-length", "victim", EXTENTS + 16, 2, 0, "etc/other"},
    {"extent-far", "victim", EXTENTS + 18, 2, 0xffff, "etc/other"},
    {"extent-at-superblock", "victim", EXTENTS + 20, 4, 0, "etc/other"},
    {"extents-overlap", "victim", EXTENTS + 24, 4, 0, "etc/other"},
    {"extent-long", "victim", EXTENTS + 16, 2, 0x7fff, "etc/other"},
    {"block-mapped", "victim", FLAGS, 4, 0, "block map"},
    {"encrypted", "victim", FLAGS, 4, 0x80800, "encrypted"},
    {"extra-size", "victim", EXTRA_SIZE, 2, 200, "etc/other"},
    {"attribute-name", "victim", ATTRIBUTES + 4, 1, 255, "etc/other"},
    {"attribute-offset", "victim", ATTRIBUTES + 6, 2, 0xfff0, "etc/other"},
    {"attribute-inode", "victim", ATTRIBUTES + 8, 4, 0xfffffff0, "etc/other"},
    {"attribute-size", "victim", ATTRIBUTES + 12, 4, 0xffffffff, "etc/other"},
    {"attribute-block", "victim", 104, 4, 0xfffffff0, "etc/other"},
    {"directory-size", "inner", SIZE, 4, 4097, "etc/inner"},
    {"directory-large", "inner", SIZE, 4, 1 << 20, "etc/inner"},
    {"directory-empty", "inner", SIZE, 4, 0, "etc/inner"},
    {"link-length", "pointer", SIZE, 4, 0, "impossible length"},
    {"link-long", "long-pointer", SIZE, 4, 4096, "impossible length"},
    {"link-cut", "pointer", EXTENTS + 2, 1, 0, "target is truncated"},
};

static const Damage entry_damages[] = {
    {"length-zero", "leaf", 4, 2, 0, "etc/inner"},
    {"length-odd", "leaf", 4, 2, 13, "etc/inner"},
    {"length-beyond", "leaf", 4, 2, 8000, "etc/inner"},
    {"name-long", "leaf", 6, 1, 255, "etc/inner"},
    {"name-empty", "victim", 6, 1, 0, "etc"},
    {"name-slash", "leaf", 9, 1, '/', "etc/inner"},
    {"name-nul", "leaf", 9, 1, 0, "etc/inner"},
    {"inode-beyond", "leaf", 0, 4, 0xffffffff, "etc/inner/leaf"},
    {"inode-journal", "leaf", 0, 4, 8, "etc/inner/leaf"},
    {"loop-to-the-root", "leaf", 0, 4, 2, "more names than its link count"},
};

static void test_inode(gconstpointer data)
{
    const Damage *damage = data;
    g_autoptr(PatchedImage) image = patched_image_new();
    patched_image_drop_checksums(image);
    patched_image_put(patched_image_inode(image, damage->file) + damage->at, damage->size,
                      damage->value);
    bool other = strstr(damage->message, "block map") != NULL;
    expect_refused(image, other ? "export.read.unsupported" : "export.read.damaged",
                   damage->message);
}

static void test_entry(gconstpointer data)
{
    const Damage *damage = data;
    g_autoptr(PatchedImage) image = patched_image_new();
    patched_image_drop_checksums(image);
    patched_image_put(patched_image_entry(image, damage->file) + damage->at, damage->size,
                      damage->value);
    expect_refused(image, "export.read.damaged", damage->message);
}

/* A directory that contains its own parent, and duplicate names. */
static void test_loop(void)
{
    g_autoptr(PatchedImage) image = patched_image_new();
    patched_image_drop_checksums(image);
    guint8 *leaf = patched_image_entry(image, "leaf");
    memcpy(leaf, patched_image_entry(image, "inner"), 4);
    expect_refused(image, "export.read.damaged", "etc/inner/leaf");
}

static void test_same_name(void)
{
    g_autoptr(PatchedImage) image = patched_image_new();
    patched_image_drop_checksums(image);
    memcpy(patched_image_entry(image, "other") + 8, "inner", 5);
    expect_refused(image, "export.read.damaged", "etc");
}

/* Any changed bit under a checksum is detected. */
static void test_checksums(void)
{
    static const char *const files[] = {"victim", "inner", "pointer"};
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autoptr(PatchedImage) image = patched_image_new();
        patched_image_inode(image, files[i])[8] ^= 1;
        expect_refused(image, "export.read.damaged", "checksum");
    }
    static const char *const names[] = {"leaf", "victim", "a-file-with-a-longish-name-77"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(PatchedImage) image = patched_image_new();
        patched_image_entry(image, names[i])[8] ^= 1;
        expect_refused(image, "export.read.damaged", "checksum");
    }
}

/* Invalid superblock fields are detected. */
static void test_superblock(void)
{
    static const struct {
        guint at, size;
        guint64 value;
        const char *id;
    } rows[] = {
        {56, 2, 0, "export.read.not-ext4"},
        {4, 4, 0xffffffff, "export.read.damaged"},     /* blocks */
        {0x150, 4, 0xffffffff, "export.read.damaged"}, /* blocks, upper half */
        {24, 4, 63, "export.read.damaged"},            /* block size */
        {32, 4, 0, "export.read.damaged"},             /* blocks a group */
        {32, 4, 1, "export.read.damaged"},
        {40, 4, 0, "export.read.damaged"}, /* inodes a group */
        {40, 4, 0xffffffff, "export.read.damaged"},
        {88, 2, 0, "export.read.damaged"}, /* inode size */
        {88, 2, 0x8000, "export.read.damaged"},
        {96, 4, 0x80000000, "export.read.unsupported"}, /* a feature of the future */
        {96, 4, 0x82c2, "export.read.unsupported"},     /* inline data */
        {96, 4, 0x2c6, "export.read.unclean"},          /* recovery */
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(PatchedImage) image = patched_image_new();
        patched_image_drop_checksums(image);
        patched_image_put(image->bytes + 1024 + rows[i].at, rows[i].size, rows[i].value);
        expect_refused(image, rows[i].id, "");
    }
}

static void add_rows(const char *kind, const Damage *rows, gsize count, GTestDataFunc func)
{
    for (gsize i = 0; i < count; i++) {
        g_autofree char *name =
            g_strdup_printf("/disk/ext4-read/damaged-%s/%s", kind, rows[i].name);
        g_test_add_data_func(name, &rows[i], func);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/disk/ext4-read/order", test_order);
    g_test_add_func("/disk/ext4-read/runs", test_runs);
    add_rows("inode", inode_damages, G_N_ELEMENTS(inode_damages), test_inode);
    add_rows("entry", entry_damages, G_N_ELEMENTS(entry_damages), test_entry);
    g_test_add_func("/disk/ext4-read/loop", test_loop);
    g_test_add_func("/disk/ext4-read/same-name", test_same_name);
    g_test_add_func("/disk/ext4-read/checksums", test_checksums);
    g_test_add_func("/disk/ext4-read/superblock", test_superblock);
    return g_test_run();
}
