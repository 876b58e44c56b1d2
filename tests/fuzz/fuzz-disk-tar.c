/* SPDX-License-Identifier: MIT
 *
 * A hostile archive: reading it terminates, with valid entries or a one-line error.
 *
 * The first byte of the input selects its kind: 0, a raw archive, compressed or not; else a list of
 * changes to a small archive with every kind of entry, three bytes for each: the offset, and the
 * new byte. Header checksums are then updated, so that changes reach the code after that check.
 */
#include "../lib/open_tar.h"
#include "../lib/tarball.h"
#include "base/error.h"
#include "fuzz.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#define CHANGE_SIZE 3U
#define BLOCK       512U
#define SECONDS_MAX 20 /* of CPU time */

static GByteArray *archive;
static GArray *headers; /* guint: their offsets */

/* Add an entry and record its header's offset, including extended headers. */
static void add(const TarballItem *item, const char *gnu_bytes)
{
    guint start = archive->len;
    tarball_add(archive, item);
    guint at = start;
    g_array_append_val(headers, at);
    if (archive->data[start + 156] == 'x') {
        gsize size = 0;
        for (guint i = 124; i < 135; i++)
            size = size * 8 + (archive->data[start + i] - '0');
        at = start + BLOCK + (guint)((size + BLOCK - 1) / BLOCK * BLOCK);
        g_array_append_val(headers, at);
    }
    if (gnu_bytes != NULL) {
        tarball_patch(archive, at, 257, "ustar  ", 8);
        tarball_patch(archive, at, 386, gnu_bytes, 24);
    }
}

#define ADD(...) add(&(TarballItem){__VA_ARGS__}, NULL)

static void set_up(void)
{
    static const char *const times[] = {"mtime", "-1.5",     "atime", "12.25", "path",
                                        "named", "linkpath", "there", "uid",   "70000",
                                        "gid",   "-0",       NULL};
    static const char *const attributes[] = {
        "SCHILY.xattr.user.note",
        "hello",
        "LIBARCHIVE.xattr.user.b64",
        "aGVsbG8",
        "RHT.security.selinux",
        "context",
        "SCHILY.fflags",
        "nodump,schg",
        "SCHILY.acl.access",
        "user::rw-,user:bob:r--,group:50:r--:50,group::r--,mask::r--,other::---",
        "SCHILY.acl.default",
        "u::rwx,g::r-x,o::---",
        "SCHILY.acl.ace",
        "owner@:r::allow",
        NULL};
    static const char *const pairs[] = {"GNU.sparse.size",
                                        "100",
                                        "GNU.sparse.numblocks",
                                        "2",
                                        "GNU.sparse.offset",
                                        "10",
                                        "GNU.sparse.numbytes",
                                        "3",
                                        "GNU.sparse.offset",
                                        "50",
                                        "GNU.sparse.numbytes",
                                        "2",
                                        NULL};
    static const char *const list[] = {
        "GNU.sparse.size", "100", "GNU.sparse.numblocks", "2", "GNU.sparse.map", "10,3,50,2", NULL};
    static const char *const one[] = {"GNU.sparse.major",
                                      "1",
                                      "GNU.sparse.minor",
                                      "0",
                                      "GNU.sparse.realsize",
                                      "100",
                                      "GNU.sparse.name",
                                      "s",
                                      NULL};
    static const char *const sun[] = {"SUN.holesdata", " 10 13 50 52 100", NULL};
    char map[BLOCK + 6] = "2\n10\n3\n50\n2\n";
    memcpy(map + BLOCK, "abcde", 6);
    archive = g_byte_array_new();
    headers = g_array_new(FALSE, FALSE, sizeof(guint));
    ADD(.path = "./", .type = '5', .mode = 0755);
    ADD(.path = "etc/passwd", .data = "root:x:0:0\n", .mtime = 5, .uid = 3);
    ADD(.path = "x", .data = "data", .pax = times);
    ADD(.path = "x", .type = 'g', .data = "12 mtime=17\n");
    ADD(.path = "x", .type = 'L', .data = "a/long/name", .size = 12);
    ADD(.path = "x", .type = 'K', .data = "a/far/target", .size = 13);
    ADD(.path = "x", .type = '2', .target = "near");
    ADD(.path = "etc/attributes", .type = '5', .pax = attributes);
    ADD(.path = "pairs", .data = "abcde", .pax = pairs);
    ADD(.path = "list", .data = "abcde", .pax = list);
    ADD(.path = "one", .data = map, .size = BLOCK + 5, .pax = one);
    ADD(.path = "sun", .data = "abcde", .pax = sun);
    add(&(TarballItem){.path = "gnu", .type = 'S', .data = "abcde"},
        "00000000012\00000000000005\0");
    ADD(.path = "link", .type = '1', .target = "named", .data = "new");
    ADD(.path = "null", .type = '3', .major = 1, .minor = 3);
    ADD(.path = "pipe", .type = '6');
    ADD(.path = "label", .type = 'V');
    ADD(.path = "dump", .type = 'D', .data = "Yx");
    tarball_end(archive);
}

static GByteArray *change(const uint8_t *data, size_t size)
{
    GByteArray *bytes = g_byte_array_append(g_byte_array_new(), archive->data, archive->len);
    for (size_t at = 0; at + CHANGE_SIZE <= size; at += CHANGE_SIZE) {
        guint place = (guint)(data[at] << 8 | data[at + 1]);
        /* Headers are few of the bytes, so half of the mutations go there. */
        guint header = g_array_index(headers, guint, place / BLOCK % headers->len);
        place = (place & 1) != 0 ? header + place % BLOCK : place % bytes->len;
        bytes->data[place] = data[at + 2];
    }
    for (guint i = 0; i < headers->len; i++)
        tarball_patch(bytes, g_array_index(headers, guint, i), 0, "", 0);
    return bytes;
}

/* Check that an entry accepted by berth_entry_normalise() can become a file. */
static void check_entry(const BerthEntry *entry)
{
    g_autofree char *guarded = g_strconcat("/", entry->path, "/", NULL);
    g_assert_null(strstr(guarded, "/../"));
    g_assert_null(strstr(guarded, "/./"));
    g_assert_true(entry->path[0] == '\0' || strstr(guarded, "//") == NULL);
    g_assert_cmpint(entry->size, >=, 0);
    g_assert_cmpint(entry->size, <, G_GINT64_CONSTANT(1) << 44);
    if (entry->type == BERTH_ENTRY_HARDLINK)
        return;
    g_assert_cmpint(entry->uid, >=, 0);
    g_assert_cmpint(entry->uid, <, G_MAXUINT32);
    g_assert_cmpint(entry->gid, >=, 0);
    g_assert_cmpint(entry->gid, <, G_MAXUINT32);
    g_assert_cmpuint(entry->mode, <=, 07777);
    for (guint i = 0; i < BERTH_TIMES; i++) {
        g_assert_true(entry->has_time[i]);
        g_assert_cmpuint(entry->times[i].nsec, <, 1000000000);
    }
}

static bool read_data(BerthTar *tar, guint64 file_size, GError **error)
{
    guint64 end = 0;
    for (gsize size = 1; size > 0;) {
        const void *data = NULL;
        guint64 offset = 0;
        if (!berth_tar_read(tar, &data, &size, &offset, error))
            return false;
        g_assert_true(size == 0 || (offset >= end && offset + size <= file_size));
        end = offset + size;
    }
    return true;
}

static bool read_archive(int fd, GError **error)
{
    BerthDropped dropped = {0};
    g_autoptr(BerthTar) tar = open_tar(fd, "x", error);
    for (bool end = false; tar != NULL;) {
        g_auto(BerthEntry) entry = {0};
        if (!berth_tar_next(tar, &entry, &end, error))
            return false;
        if (end)
            return true;
        guint64 size = (guint64)MAX(entry.size, 0);
        bool is_file = entry.type == BERTH_ENTRY_FILE;
        if (!berth_entry_normalise(&entry, &dropped, error))
            return false;
        check_entry(&entry);
        if (is_file && !read_data(tar, size, error))
            return false;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (archive == NULL)
        set_up();
    if (size == 0)
        return 0;
    g_autoptr(GByteArray) bytes =
        data[0] == 0 ? g_byte_array_append(g_byte_array_new(), data + 1, (guint)size - 1)
                     : change(data + 1, size - 1);
    clock_t started = clock();
    g_autoptr(GError) error = NULL;
    int fd = tarball_open(bytes);
    bool done = read_archive(fd, &error);
    close(fd);
    g_assert_cmpint(done, ==, error == NULL);
    g_assert_true(done || strchr(error->message, '\n') == NULL);
    g_assert_true(done || g_str_has_prefix(berth_error_id(error), "import."));
    g_assert_cmpint(clock() - started, <, SECONDS_MAX * CLOCKS_PER_SEC);
    return 0;
}
