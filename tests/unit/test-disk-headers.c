/* SPDX-License-Identifier: MIT */
#include "disk/archive/headers.h"

#include "../lib/open_tar.h"
#include "../lib/reading.h"
#include "../lib/tarball.h"

#include "base/error.h"
#include "base/fd.h"

#include <glib/gstdio.h>
#include <string.h>

#define SIZE_AT    124
#define MAGIC_AT   257
#define TAIL_AT    345
#define MAP_AT     386
#define GOES_ON_AT 482

/* --- 35: sizes --- */

static void test_sizes(void)
{
    static const guint8 ten_gib[] = {0x80, 0, 0, 0, 0, 0, 0, 2, 0x80, 0, 0, 0};
    static const guint8 negative[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0};
    static const char *const more[] = {"size", "5", NULL};
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    TARBALL_ADD(tarball, .path = "more", .pax = more, .data = "12345");
    tarball_patch(tarball, 1024, SIZE_AT, "00000000001", 11);
    reading_expect(tarball, "f more=12345\n");

    g_byte_array_set_size(tarball, 0);
    TARBALL_ADD(tarball, .path = "ten");
    tarball_patch(tarball, 0, SIZE_AT, ten_gib, sizeof(ten_gib));
    berth_autofd int fd = tarball_open(tarball);
    g_autoptr(BerthTar) tar = open_tar(fd, "x.tar", NULL);
    g_auto(BerthEntry) entry = {0};
    bool end = false;
    g_assert_true(berth_tar_next(tar, &entry, &end, NULL));
    g_assert_cmpint(entry.size, ==, G_GINT64_CONSTANT(10) << 30); /* before the data is read */
    reading_refused_as_is(tarball, "import.read.truncated", "at ten: the archive ends too early");

    tarball_patch(tarball, 0, SIZE_AT, negative, sizeof(negative));
    reading_refused_as_is(tarball, READING_DAMAGED, "the size is negative");
    static const char *const sizes[] = {"-1", "9223372036854775807"};
    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_byte_array_set_size(tarball, 0);
        tarball_add_pax(tarball, "size", sizes[i], strlen(sizes[i]));
        TARBALL_ADD(tarball, .path = "a");
        reading_refused_as_is(tarball, READING_DAMAGED, "the size is ");
    }
}

/* --- 34: holes --- */

static void sparse_1(GByteArray *tarball, const char *map, const char *data, const char *realsize)
{
    const char *const pax[] = {"GNU.sparse.major",
                               "1",
                               "GNU.sparse.minor",
                               "0",
                               "GNU.sparse.name",
                               "s",
                               "GNU.sparse.realsize",
                               realsize,
                               NULL};
    g_autoptr(GByteArray) body = g_byte_array_new();
    g_byte_array_append(body, (const guint8 *)map, (guint)strlen(map));
    guint end = body->len;
    g_byte_array_set_size(body, (end + 511) / 512 * 512);
    memset(body->data + end, 0, body->len - end);
    g_byte_array_append(body, (const guint8 *)data, (guint)strlen(data));
    TARBALL_ADD(tarball, .path = "GNUSparseFile.1/s", .pax = pax, .data = body->data,
                .size = body->len);
}

static void test_maps(void)
{
    static const char *const wrong[] = {"SUN.holesdata", " 10 13 50 52 100", NULL};
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
    static const char *const list[] = {"GNU.sparse.size",
                                       "100",
                                       "GNU.sparse.numblocks",
                                       "2",
                                       "GNU.sparse.map",
                                       "10,3,50,2",
                                       "GNU.sparse.name",
                                       "list",
                                       NULL};
    static const char *const sun[] = {
        "SUN.holesdata", " 10 13 50 52 100", "size", "5", "SCHILY.realsize", "100", NULL};
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    TARBALL_ADD(tarball, .path = "pairs", .pax = pairs, .data = "abcde");
    TARBALL_ADD(tarball, .path = "x", .pax = list, .data = "abcde");
    sparse_1(tarball, "2\n10\n3\n50\n2\n", "abcde", "100");
    sparse_1(tarball, "1\n7000000\n0\n", "", "7000000");
    sparse_1(tarball, "0\n", "", "60000000000");
    TARBALL_ADD(tarball, .path = "sun", .pax = sun, .data = "abcde");
    reading_expect(tarball,
                   "f pairs sparse100=@10:abc|@50:de\nf list sparse100=@10:abc|@50:de\n"
                   "f s sparse100=@10:abc|@50:de\nf s sparse7000000\nf s sparse60000000000\n"
                   "f sun sparse100=@10:abc|@50:de\n");
    g_byte_array_set_size(tarball, 0);
    TARBALL_ADD(tarball, .path = "wrong", .pax = wrong, .data = "abcd");
    reading_refused(tarball, READING_DAMAGED, "the list of holes does not fit");
}

static void test_invalid_maps(void)
{
    static const struct {
        const char *map;
        const char *data;
    } cases[] = {
        {"2\n10\n3\n12\n2\n", "abcde"},           /* overlap */
        {"2\n50\n3\n10\n2\n", "abcde"},           /* out of order */
        {"1\n98\n5\n", "abcde"},                  /* beyond the size */
        {"1\n9223372036854775800\n5\n", "abcde"}, /* far beyond */
        {"1\n10\n9\n", "abcde"},                  /* more data than the archive has */
        {"2\n10\n3\n50\n", "abcde"},              /* truncated */
        {"1\n10\nx\n", "abcde"},
        {"-1\n", "abcde"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GByteArray) tarball = g_byte_array_new();
        sparse_1(tarball, cases[i].map, cases[i].data, "100");
        reading_refused(tarball, READING_DAMAGED, "");
    }
    static const char *const directory[] = {"GNU.sparse.size", "100", NULL};
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    TARBALL_ADD(tarball, .path = "d", .type = '5', .pax = directory);
    reading_refused(tarball, READING_DAMAGED, "");
}

/* Other writers store other things where GNU's header has times and a sparse map: these fields
 * count in sparse files only. */
static void test_stray_tails(void)
{
    g_autofree char *text = g_strnfill(167, 'x');
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    for (guint i = 0; i < 3; i++) {
        gsize header = tarball->len;
        TARBALL_ADD(tarball, .path = "stray", .data = "data", .uid = 5, .gid = i);
        tarball_patch(tarball, header, MAGIC_AT, "ustar  ", 8);
        tarball_patch(tarball, header, i == 1 ? MAP_AT : TAIL_AT, text, i == 1 ? 1 : 167);
        TARBALL_ADD(tarball, .path = "plain", .data = "more");
    }
    reading_expect(tarball, "f stray u5:0=data\nf plain=more\n"
                            "f stray u5:1=data\nf plain=more\n"
                            "f stray u5:2=data\nf plain=more\n");
}

/* Go's prefix under GNU's magic is accepted if it is unambiguous. */
static void test_go_prefix(void)
{
    g_autofree char *name = g_strnfill(60, 'n');
    g_autofree char *prefix = g_strnfill(60, 'p');
    g_autofree char *prefixed = g_strdup_printf("f %s/%s=x\n", prefix, name);
    g_autofree char *bare = g_strdup_printf("f %s=x\n", name);
    const struct {
        const char *name;
        const char *tail;
        gsize more_at;
        const char *text;
    } cases[] = {
        {name, prefix, 0, prefixed},
        {name, "00000000000", 0, bare},      /* a time */
        {name, prefix, TAIL_AT + 100, bare}, /* other bytes follow */
        {"f", prefix, 0, "f f=x\n"},         /* both would have fit the name field */
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GByteArray) tarball = g_byte_array_new();
        TARBALL_ADD(tarball, .path = cases[i].name, .data = "x");
        tarball_patch(tarball, 0, MAGIC_AT, "ustar  ", 8);
        tarball_patch(tarball, 0, TAIL_AT, cases[i].tail, strlen(cases[i].tail));
        if (cases[i].more_at > 0)
            tarball_patch(tarball, 0, cases[i].more_at, "more", 4);
        reading_expect(tarball, cases[i].text);
    }
}

/* One file with many holes, in all of GNU tar's formats: the map continues in further blocks. */
static void test_gnu_tar_holes(void)
{
    static const char *const ways[] = {"--format=gnu", "--format=posix --sparse-version=0.0",
                                       "--format=posix --sparse-version=0.1",
                                       "--format=posix --sparse-version=1.0"};
    g_autofree char *directory = g_dir_make_tmp("berth-holes-XXXXXX", NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(ways); i++) {
        g_autofree char *script = g_strdup_printf(
            "cd %s && rm -f s && for i in $(seq 100); do echo $i |"
            "dd of=s bs=16k seek=$((i*2)) conv=notrunc status=none; done; truncate -s 8M s;"
            "tar -c --sparse --hole-detection=raw %s s",
            directory, ways[i]);
        const char *const argv[] = {"sh", "-c", script, NULL};
        g_autoptr(GByteArray) nothing = g_byte_array_new();
        g_autoptr(GByteArray) tarball = tarball_filter(nothing, argv);
        g_autoptr(GError) error = NULL;
        g_autofree char *text = reading_text(tarball, &error);
        g_assert_no_error(error);
        if (strstr(text, " sparse8388608=@32768:1\n") == NULL ||
            strstr(text, "|@3276800:100\n") == NULL)
            g_error("%s: %s", ways[i], text);
    }
    g_autofree char *file = g_build_filename(directory, "s", NULL);
    g_unlink(file);
    g_rmdir(directory);
}

/* --- 38 to 42: the end --- */

static void test_ends(void)
{
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    TARBALL_ADD(tarball, .path = "a", .data = "1");
    reading_expect_as_is(
        tarball, "f a=1\n! x.tar: the end mark is missing: the archive may have been cut\n");
    g_autoptr(GByteArray) first =
        g_byte_array_append(g_byte_array_new(), tarball->data, tarball->len);
    g_byte_array_set_size(tarball, tarball->len + 512);
    memset(tarball->data + 1024, 0, 512);
    reading_expect_as_is(tarball, "f a=1\n"); /* one block of zeros is a mark */
    g_byte_array_append(tarball, first->data, first->len);
    reading_expect_as_is(tarball,
                         "f a=1\n! x.tar: another archive follows the first: it was left out\n");

    g_byte_array_set_size(tarball, 1024);
    reading_expect(tarball, "f a=1\n");
    g_byte_array_append(tarball, (const guint8 *)"garbage", 7);
    reading_expect_as_is(tarball, "f a=1\n");
    g_byte_array_set_size(tarball, 1024);
    for (guint i = 0; i < 3000; i++)
        tarball_end(tarball);
    reading_expect_as_is(tarball, "f a=1\n");
    g_byte_array_append(tarball, first->data, first->len); /* megabytes later */
    reading_expect_as_is(tarball,
                         "f a=1\n! x.tar: another archive follows the first: it was left out\n");
}

/* Truncated at every byte: accepted only at the end of an entry, with a warning. */
static void test_truncated_anywhere(void)
{
    static const char *const pax[] = {"path", "named", NULL};
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    TARBALL_ADD(tarball, .path = "a", .data = "1");
    TARBALL_ADD(tarball, .path = "b", .pax = pax, .data = "2");
    for (guint size = tarball->len - 1; size > 512; size--) {
        g_autoptr(GByteArray) cut = g_byte_array_append(g_byte_array_new(), tarball->data, size);
        if (size == 1024)
            reading_expect_as_is(
                cut, "f a=1\n! x.tar: the end mark is missing: the archive may have been "
                     "cut\n");
        else
            reading_refused_as_is(cut, "import.read.truncated", "the archive ends too early");
        if (size % 512 == 0 && size > 1024)
            size -= 400; /* a few offsets per block suffice */
    }
}

/* The checksum covers every bit of a header. */
static void test_bad_checksums(void)
{
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    TARBALL_ADD(tarball, .path = "a", .data = "1");
    TARBALL_ADD(tarball, .path = "b", .data = "2");
    TARBALL_ADD(tarball, .path = "c", .data = "3");
    tarball_end(tarball);
    for (guint at = 1024; at < 1536; at += 3) {
        g_autoptr(GByteArray) bad =
            g_byte_array_append(g_byte_array_new(), tarball->data, tarball->len);
        bad->data[at] ^= 4;
        if (at - 1024 < 154 || at - 1024 >= 156) /* not covered: 2 bytes after the checksum */
            reading_refused_as_is(bad, READING_DAMAGED,
                                  "at a: the archive is damaged here (a header's checksum");
    }
    /* Old writers sum signed bytes. */
    g_byte_array_set_size(tarball, 0);
    TARBALL_ADD(tarball, .path = "\xe9", .data = "1");
    guint sum = 0;
    memcpy(tarball->data + 148, "        ", 8);
    for (guint i = 0; i < 512; i++)
        sum += (guint)(gint8)tarball->data[i];
    g_autofree char *text = g_strdup_printf("%06o", sum);
    memcpy(tarball->data + 148, text, 7);
    reading_expect(tarball, "f \xe9=1\n");
}

/* --- 51: limits --- */

static void test_body_limit(void)
{
    g_autofree char *value = g_strnfill(1 << 20, 'v');
    const gsize fits = (1 << 20) - strlen("1048576 comment=\n");
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    tarball_add_pax(tarball, "comment", value, fits);
    TARBALL_ADD(tarball, .path = "a");
    reading_expect(tarball, "f a\n");
    g_byte_array_set_size(tarball, 0);
    tarball_add_pax(tarball, "comment", value, fits + 1);
    reading_refused_as_is(tarball, "import.read.too-large", "more than 1 MiB");
    g_byte_array_set_size(tarball, 0);
    TARBALL_ADD(tarball, .path = "gnu", .type = 'L', .data = value, .size = (1 << 20) + 1);
    reading_refused_as_is(tarball, "import.read.too-large", "more than 1 MiB");
}

static void test_map_limit(void)
{
    GString *map = g_string_new("2000000\n");
    for (guint i = 0; i < 2000000; i++)
        g_string_append(map, "9\n0\n");
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    sparse_1(tarball, map->str, "", "100");
    g_string_free(map, true);
    reading_expect(tarball, "f s sparse100\n");
    g_byte_array_set_size(tarball, 0);
    map = g_string_new("4000000\n");
    for (guint i = 0; i < 4000000; i++)
        g_string_append(map, "9\n0\n");
    sparse_1(tarball, map->str, "", "100");
    g_string_free(map, true);
    reading_refused(tarball, "import.read.too-large", "a map of more than 8 MiB");

    /* GNU's older form: blocks after the header, each flagged that another follows. */
    g_byte_array_set_size(tarball, 0);
    TARBALL_ADD(tarball, .path = "s", .type = 'S');
    tarball_patch(tarball, 0, MAGIC_AT, "ustar  ", 8);
    tarball_patch(tarball, 0, MAP_AT, "00000000000\000000000000000", 23);
    tarball_patch(tarball, 0, GOES_ON_AT, "\1", 1);
    gsize start = tarball->len;
    g_byte_array_set_size(tarball, (9U << 20));
    for (gsize at = start; at < tarball->len; at += 512) {
        memset(tarball->data + at, 0, 512);
        tarball->data[at + 504] = 1;
    }
    reading_refused_as_is(tarball, "import.read.too-large", "a map of more than 8 MiB");
}

/* --- block boundaries --- */

static char *walk(const GByteArray *bytes, gsize head, guint64 limit, GError **error)
{
    berth_autofd int fd = tarball_open(bytes);
    BerthSource *source = berth_source_new_range(fd, head, bytes->len - head);
    g_autoptr(BerthStream) stream = berth_stream_open(source, "x", NULL);
    g_autoptr(BerthHeaders) headers = berth_headers_new(stream, "x", bytes->data, head);
    g_autoptr(GString) text = g_string_new(NULL);
    berth_headers_limit_entries(headers, limit);
    for (gsize size = 1; size > 0;) {
        const guint8 *data = NULL;
        if (!berth_headers_read(headers, &data, &size, error))
            return NULL;
        g_string_append_len(text, (const char *)data, (gssize)size);
    }
    g_autofree char *digest =
        g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guint8 *)text->str, text->len);
    GString *summary = g_string_new(digest);
    for (;;) {
        g_auto(BerthFacts) facts = {0};
        if (!berth_headers_next(headers, &facts))
            return g_string_free(summary, false);
        g_string_append_printf(summary, " %s@%" G_GUINT64_FORMAT, facts.path, facts.position);
    }
}

/* The output does not depend on the block boundaries. */
static void test_split_anywhere(void)
{
    static const char *const pax[] = {"path", "named", "size", "600", NULL};
    g_autofree char *data = g_strnfill(600, 'd');
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    TARBALL_ADD(tarball, .path = "a", .data = "1");
    TARBALL_ADD(tarball, .path = "b", .pax = pax, .data = data);
    TARBALL_ADD(tarball, .path = "gnu", .type = 'L', .data = "long", .size = 5);
    gsize header = tarball->len;
    TARBALL_ADD(tarball, .path = "c", .data = "2");
    tarball_patch(tarball, header, MAGIC_AT, "ustar  ", 8);
    tarball_patch(tarball, header, TAIL_AT, "stray", 5);
    header = tarball->len;
    TARBALL_ADD(tarball, .path = "s", .type = 'S', .data = "x");
    tarball_patch(tarball, header, MAGIC_AT, "ustar  ", 8);
    tarball_patch(tarball, header, MAP_AT, "00000000000", 12);
    tarball_patch(tarball, header, GOES_ON_AT, "\1", 1);
    tarball_end(tarball);
    g_autofree char *whole = walk(tarball, tarball->len, 100, NULL);
    g_assert_nonnull(strstr(whole, " a@0 named@1024 long@"));
    for (gsize head = 0; head < tarball->len;
         head += head % 512 < 2 || head % 512 > 509 ? 1 : 101) {
        g_autofree char *split = walk(tarball, head, 100, NULL);
        g_assert_cmpstr(split, ==, whole);
    }
}

static void test_entries_limit(void)
{
    g_autoptr(GByteArray) tarball = g_byte_array_new();
    for (guint i = 0; i < 10; i++)
        TARBALL_ADD(tarball, .path = "a");
    tarball_end(tarball);
    g_autofree char *all = walk(tarball, tarball->len, 10, NULL);
    g_assert_nonnull(all);
    g_autoptr(GError) error = NULL;
    g_assert_null(walk(tarball, tarball->len, 9, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "import.read.too-large");
    g_assert_nonnull(strstr(error->message, "more than 9 entries"));
    g_assert_cmpuint(BERTH_HEADERS_ENTRIES_LIMIT, ==, 10000000);
}

#define ADD(name, func) g_test_add_func("/disk/headers/" name, (func))

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("case-35-sizes", test_sizes);
    ADD("case-34-maps", test_maps);
    ADD("case-34-invalid-maps", test_invalid_maps);
    ADD("case-34-gnu-tar-holes", test_gnu_tar_holes);
    ADD("stray-tails", test_stray_tails);
    ADD("go-prefix", test_go_prefix);
    ADD("case-38-41-42-ends", test_ends);
    ADD("case-39-truncated-anywhere", test_truncated_anywhere);
    ADD("case-40-bad-checksums", test_bad_checksums);
    ADD("case-51-body-limit", test_body_limit);
    ADD("case-51-map-limit", test_map_limit);
    ADD("case-51-entries-limit", test_entries_limit);
    ADD("split-anywhere", test_split_anywhere);
    return g_test_run();
}
