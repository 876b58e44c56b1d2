/* SPDX-License-Identifier: MIT */
#include "disk/archive/tar.h"

#include "../lib/open_tar.h"
#include "../lib/tarball.h"

#include "base/error.h"
#include "base/fd.h"

#include <locale.h>
#include <string.h>

/* Read every path and all data as "path=data\n", or NULL with @error. */
static char *read_all(const GByteArray *bytes, GError **error)
{
    berth_autofd int fd = tarball_open(bytes);
    g_autoptr(BerthTar) tar = open_tar(fd, "x.tar", error);
    g_autoptr(GString) text = g_string_new(NULL);
    for (bool end = tar == NULL; !end;) {
        g_auto(BerthEntry) entry = {0};
        if (!berth_tar_next(tar, &entry, &end, error))
            return NULL;
        if (end)
            break;
        g_string_append_printf(text, "%s=", entry.path);
        for (gsize size = 1; size > 0;) {
            const void *data = NULL;
            guint64 offset = 0;
            if (!berth_tar_read(tar, &data, &size, &offset, error))
                return NULL;
            g_string_append_len(text, data, (gssize)size);
        }
        g_string_append_c(text, '\n');
    }
    if (tar == NULL)
        return NULL;
    g_assert_cmpuint(berth_tar_position(tar), ==, bytes->len);
    return g_string_free(g_steal_pointer(&text), false);
}

static void expect(const GByteArray *bytes, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *got = read_all(bytes, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(got, ==, text);
}

static void expect_error(const GByteArray *bytes, const char *id, const char *message)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *got = read_all(bytes, &error);
    g_assert_null(got);
    g_assert_cmpstr(berth_error_id(error), ==, id);
    g_assert_error(error, BERTH_ERROR, BERTH_ERROR_INVALID);
    g_assert_true(g_str_has_prefix(error->message, "x.tar: "));
    if (strstr(error->message, message) == NULL)
        g_error("no \"%s\" in \"%s\"", message, error->message);
}

static GByteArray *two_files(void)
{
    GByteArray *tarball = g_byte_array_new();
    TARBALL_ADD(tarball, .path = "a", .data = "first");
    TARBALL_ADD(tarball, .path = "b", .data = "second");
    tarball_end(tarball);
    return tarball;
}

static GByteArray *copy(const void *data, gsize size)
{
    GByteArray *bytes = g_byte_array_new();
    return g_byte_array_append(bytes, data, (guint)size);
}

static const char *const gzip[] = {"gzip", "-c", NULL};
static const char *const xz[] = {"xz", "-c", NULL};
static const char *const zstd[] = {"zstd", "-qc", NULL};
static const char *const bzip2[] = {"bzip2", "-1c", NULL}; /* small blocks: a late error */
static const char *const lz4[] = {"lz4", "-qc", NULL};
static const char *const *const filters[] = {gzip, xz, zstd, bzip2, lz4};

static void test_compressed_in_parts(void)
{
    g_autoptr(GByteArray) tarball = two_files();
    expect(tarball, "a=first\nb=second\n");
    for (gsize i = 0; i < G_N_ELEMENTS(filters); i++) {
        g_autoptr(GByteArray) whole = tarball_filter(tarball, filters[i]);
        expect(whole, "a=first\nb=second\n");

        g_autoptr(GByteArray) head = copy(tarball->data, 700);
        g_autoptr(GByteArray) tail = copy(tarball->data + 700, tarball->len - 700);
        g_autoptr(GByteArray) first = tarball_filter(head, filters[i]);
        g_autoptr(GByteArray) second = tarball_filter(tail, filters[i]);
        g_byte_array_append(first, second->data, second->len);
        expect(first, "a=first\nb=second\n");
    }
}

/* Incompressible, so that truncation hits data and not only a header. */
static GByteArray *noise(void)
{
    GByteArray *tarball = g_byte_array_new();
    g_autofree guint8 *data = g_malloc(300000);
    g_autoptr(GRand) random = g_rand_new_with_seed(1);
    for (guint i = 0; i < 300000; i++)
        data[i] = (guint8)g_rand_int(random);
    TARBALL_ADD(tarball, .path = "noise", .data = data, .size = 300000);
    tarball_end(tarball);
    return tarball;
}

static void test_truncated_compressed(void)
{
    g_autoptr(GByteArray) tarball = noise();
    for (gsize i = 0; i < G_N_ELEMENTS(filters); i++) {
        g_autoptr(GByteArray) packed = tarball_filter(tarball, filters[i]);
        g_byte_array_set_size(packed, 200000);
        expect_error(packed, "import.read.truncated", "ends too early");
    }
}

static void test_corrupted_compressed(void)
{
    g_autoptr(GByteArray) tarball = noise();
    for (gsize i = 0; i < G_N_ELEMENTS(filters); i++) {
        g_autoptr(GByteArray) packed = tarball_filter(tarball, filters[i]);
        packed->data[150000] ^= 0x40;
        expect_error(packed, "import.read.damaged", "");
    }
}

static void test_gzip_trailer(void)
{
    g_autoptr(GByteArray) tarball = two_files();
    g_autoptr(GByteArray) packed = tarball_filter(tarball, gzip);
    for (guint i = 1; i <= 8; i++) {
        g_autoptr(GByteArray) bad = copy(packed->data, packed->len);
        bad->data[bad->len - i] ^= 1;
        expect_error(bad, "import.read.damaged", "checksum");
        g_autoptr(GByteArray) cut = copy(packed->data, packed->len - i);
        expect_error(cut, "import.read.truncated", "gzip data ends too early");
    }
}

static void test_ignores_trailing_bytes(void)
{
    g_autoptr(GByteArray) tarball = two_files();
    g_autoptr(GByteArray) garbage = copy(tarball->data, tarball->len);
    g_byte_array_append(garbage, (const guint8 *)"garbage", 7);
    expect(garbage, "a=first\nb=second\n");

    g_autoptr(GByteArray) without_end = copy(tarball->data, tarball->len - 1024);
    expect(without_end, "a=first\nb=second\n");
    g_autoptr(GByteArray) concatenated = copy(tarball->data, tarball->len);
    g_byte_array_append(concatenated, tarball->data, tarball->len);
    expect(concatenated, "a=first\nb=second\n");
}

static void test_gzip_padding_is_silent(void)
{
    static const guint8 zeros[512];
    g_autoptr(GByteArray) tarball = two_files();
    g_autoptr(GByteArray) packed = tarball_filter(tarball, gzip);
    g_byte_array_append(packed, zeros, sizeof(zeros));
    berth_autofd int fd = tarball_open(packed);
    g_autoptr(GError) error = NULL;
    g_autoptr(BerthTar) tar = open_tar(fd, "x.tar", &error);
    for (bool end = false; !end;) {
        g_auto(BerthEntry) entry = {0};
        g_assert_true(berth_tar_next(tar, &entry, &end, &error));
    }
}

static void test_damaged_plain(void)
{
    g_autoptr(GByteArray) tarball = two_files();
    static const struct {
        guint size;
        const char *place;
    } cuts[] = {{1024 + 100, "at a: "}, {1536 + 3, "at b: "}, {1536 + 100, "at b: "}};
    for (gsize i = 0; i < G_N_ELEMENTS(cuts); i++) {
        g_autoptr(GByteArray) cut = copy(tarball->data, cuts[i].size);
        expect_error(cut, "import.read.truncated", cuts[i].place);
    }

    g_autoptr(GByteArray) second = copy(tarball->data, tarball->len);
    second->data[1024 + 3] ^= 1;
    expect_error(second, "import.read.damaged", "at a: the archive is damaged");
    g_autoptr(GByteArray) first = copy(tarball->data, tarball->len);
    first->data[3] ^= 1;
    expect_error(first, "import.read.damaged", "first header");
}

static void test_bad_pax(void)
{
    static const char *const bodies[] = {"999 path=x\n", "garbage\n", "10 path\n", "-5 path=x\n"};
    for (gsize i = 0; i < G_N_ELEMENTS(bodies); i++) {
        g_autoptr(GByteArray) tarball = g_byte_array_new();
        TARBALL_ADD(tarball, .path = "pax", .type = 'x', .data = bodies[i]);
        TARBALL_ADD(tarball, .path = "a", .data = "first");
        tarball_end(tarball);
        expect_error(tarball, "import.read.damaged", "");
    }
    g_autoptr(GByteArray) negative = g_byte_array_new();
    tarball_add_pax(negative, "size", "-1", 2);
    TARBALL_ADD(negative, .path = "a");
    tarball_end(negative);
    expect_error(negative, "import.read.damaged", "");
}

static void test_names_other_formats(void)
{
    static const struct {
        gsize offset;
        const char *bytes; /* other formats inside a gzip */
        const char *words;
    } cases[] = {
        {0, "PK\x03\x04", "it is a zip archive"},
        {0, "vhdxfile", "it is a VHDX disk image"},
        {0, "QFI\xfb", "it is a qcow2 disk image"},
        {0,
         "\x7f"
         "ELF",
         "it is a program (ELF)"},
        {0, "\n <!DOCTYPE html>", "it is a web page (HTML)"},
        {0, "<HTML>", "it is a web page (HTML)"},
        {1080, "\x53\xef", "it is an ext2, ext3 or ext4 image"},
        {32769, "CD001", "it is an ISO 9660 image"},
        {0, "hsqs", "it is a squashfs image"},
        {0, "conectix", "it is a VHD disk image"},
        {0, "KDMV", "it is a VMDK disk image"},
        {0, "# Disk DescriptorFile\n", "it is a VMDK disk image"},
        {64, "\x7f\x10\xda\xbe", "it is a VirtualBox disk image"},
        {0, "LUKS\xba\xbe", "it is an encrypted disk"},
        {0, "7z\xbc\xaf\x27\x1c", "it is a 7z archive"},
        {0, "070701", "it is a cpio archive"},
        {0, "\xed\xab\xee\xdb", "it is an RPM package"},
        {0, "!<arch>\ndebian-binary", "it is a Debian package"},
        {0, "!<arch>\nlib.o", "it is an ar archive"},
        {0, "XFSB", "it is an XFS image"},
        {65600, "_BHRfS_M", "it is a btrfs image"},
        {1024, "\xe2\xe1\xf5\xe0", "it is an EROFS image"},
        {512, "EFI PART", "it is a whole disk with a partition table"},
        {510, "\x55\xaa", "it is a whole disk with a boot sector"},
        {0, "MZ", "it is a Windows program"},
        {0, "#!/bin/sh\n", "it is a script"},
        {0, "%PDF-1.7", "it is a PDF document"},
        {0, "LZIP", "it is compressed with lzip"},
        {0, "\x89LZO", "it is compressed with lzop"},
        {0, "LRZI", "it is compressed with lrzip"},
        {0, "\x02\x21\x4c\x18", "it is compressed with lz4 -l"},
        {0, "just some text", "x.tar: not a tar archive"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree guint8 *data = g_malloc0(70000);
        memcpy(data + cases[i].offset, cases[i].bytes, strlen(cases[i].bytes));
        g_autoptr(GByteArray) bytes = copy(data, 70000);
        expect_error(bytes, "import.open.not-a-tar", cases[i].words);
        for (gsize filter = 0; filter < G_N_ELEMENTS(filters); filter++) {
            g_autoptr(GByteArray) packed = tarball_filter(bytes, filters[filter]);
            expect_error(packed, "import.open.not-a-tar", cases[i].words);
        }
    }

    g_autoptr(GByteArray) tarball = two_files();
    g_autoptr(GByteArray) once = tarball_filter(tarball, gzip);
    g_autoptr(GByteArray) twice = tarball_filter(once, xz);
    expect_error(twice, "import.open.not-a-tar", "gzip inside another compression");
}

static void test_empty(void)
{
    g_autoptr(GByteArray) nothing = g_byte_array_new();
    expect_error(nothing, "import.open.empty", "the file is empty");
    for (gsize i = 0; i < G_N_ELEMENTS(filters); i++) {
        g_autoptr(GByteArray) packed = tarball_filter(nothing, filters[i]);
        expect_error(packed, "import.open.empty", "the file is empty");
    }
    g_autoptr(GByteArray) short_text = copy("short", 5);
    expect_error(short_text, "import.open.not-a-tar", "not a tar archive");

    tarball_end(nothing);
    expect(nothing, "");
}

/* In any locale, PAX names are neither converted nor normalised. */
static void test_names_in_any_locale(void)
{
    static const char *const locales[] = {"C", "C.UTF-8", "POSIX"};
    static const char *const names[] = {"e\xcc\x81", "\xc3\xa9", "caf\xe9", "\xff\xfe",
                                        "\xe2\x84\xab"};
    g_autofree char *before = g_strdup(setlocale(LC_ALL, NULL));
    for (gsize i = 0; i < G_N_ELEMENTS(locales) * G_N_ELEMENTS(names); i++) {
        g_assert_nonnull(setlocale(LC_ALL, locales[i / G_N_ELEMENTS(names)]));
        const char *name = names[i % G_N_ELEMENTS(names)];
        g_autoptr(GByteArray) tarball = g_byte_array_new();
        TARBALL_ADD(tarball, .path = name, .data = "ustar");
        tarball_add_pax(tarball, "path", name, strlen(name));
        TARBALL_ADD(tarball, .path = "x", .data = "pax");
        tarball_end(tarball);
        g_autofree char *wanted = g_strdup_printf("%s=ustar\n%s=pax\n", name, name);
        expect(tarball, wanted);
    }
    setlocale(LC_ALL, before);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/disk/tar/case-43-and-46-compressed-in-parts", test_compressed_in_parts);
    g_test_add_func("/disk/tar/case-44-truncated-compressed", test_truncated_compressed);
    g_test_add_func("/disk/tar/case-44-corrupted-compressed", test_corrupted_compressed);
    g_test_add_func("/disk/tar/case-44-gzip-trailer", test_gzip_trailer);
    g_test_add_func("/disk/tar/case-38-41-42-ignores-trailing-bytes", test_ignores_trailing_bytes);
    g_test_add_func("/disk/tar/case-41-gzip-padding-is-silent", test_gzip_padding_is_silent);
    g_test_add_func("/disk/tar/case-39-and-40-damaged-plain", test_damaged_plain);
    g_test_add_func("/disk/tar/case-09-bad-pax", test_bad_pax);
    g_test_add_func("/disk/tar/case-45-names-other-formats", test_names_other_formats);
    g_test_add_func("/disk/tar/case-37-empty", test_empty);
    g_test_add_func("/disk/tar/case-08-names-in-any-locale", test_names_in_any_locale);
    return g_test_run();
}
