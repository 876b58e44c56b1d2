/* SPDX-License-Identifier: MIT */
#include "format_probe.h"

#include "header.h"

#include <string.h>

typedef struct {
    gsize offset;
    const char *bytes;
    gsize size;
    const char *words;
    const char *hint;
} Signature;

#define MAGIC(offset, literal, words, hint)                                                        \
    {                                                                                              \
        (offset), (literal), sizeof(literal) - 1, (words), (hint)                                  \
    }

#define CONVERT "boot or mount it and pack its root directory with tar, then import that"
#define UNPACK  "unpack it and pack the root directory with tar"
#define TWICE   "decompress it once by hand"

static const struct {
    Signature signature;
    BerthCompression compression;
} compressions[] = {
    {MAGIC(0, "\x1f\x8b", "gzip inside another compression", TWICE), BERTH_COMPRESSION_GZIP},
    {MAGIC(0,
           "\xfd"
           "7zXZ\0",
           "xz inside another compression", TWICE),
     BERTH_COMPRESSION_XZ},
    {MAGIC(0, "\x28\xb5\x2f\xfd", "zstd inside another compression", TWICE),
     BERTH_COMPRESSION_ZSTD},
    {MAGIC(0, "BZh", "bzip2 inside another compression", TWICE), BERTH_COMPRESSION_BZIP2},
    {MAGIC(0, "\x04\x22\x4d\x18", "lz4 inside another compression", TWICE), BERTH_COMPRESSION_LZ4},
};

static const Signature others[] = {
    MAGIC(0, "PK\x03\x04", "a zip archive", UNPACK),
    MAGIC(0, "PK\x05\x06", "an empty zip archive", NULL),
    MAGIC(0, "7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    MAGIC(0, "Rar!", "a rar archive", UNPACK),
    MAGIC(0, "xar!", "a xar archive", UNPACK),
    MAGIC(0, "07070", "a cpio archive", UNPACK),
    MAGIC(0, "\xc7\x71", "a cpio archive", UNPACK),
    MAGIC(0, "!<arch>\ndebian-binary", "a Debian package",
          "a package is not a root file system: mmdebstrap makes one, see rootfs-builders/"),
    MAGIC(0, "!<arch>", "an ar archive", UNPACK),
    MAGIC(0, "\xed\xab\xee\xdb", "an RPM package",
          "a package is not a root file system: dnf --installroot makes one, see rootfs-builders/"),
    MAGIC(0, "vhdxfile", "a VHDX disk image", CONVERT),
    MAGIC(0, "conectix", "a VHD disk image", CONVERT),
    MAGIC(0, "QFI\xfb", "a qcow2 disk image", CONVERT),
    MAGIC(0, "KDMV", "a VMDK disk image", CONVERT),
    MAGIC(0, "# Disk DescriptorFile", "a VMDK disk image", CONVERT),
    MAGIC(64, "\x7f\x10\xda\xbe", "a VirtualBox disk image (VDI)", CONVERT),
    MAGIC(0, "LUKS\xba\xbe", "an encrypted disk (LUKS)", CONVERT),
    MAGIC(0, "MSWIM\0\0\0", "a Windows image (WIM)", NULL),
    MAGIC(0, "hsqs", "a squashfs image", "unpack it with unsquashfs and pack the result with tar"),
    MAGIC(0, "XFSB", "an XFS image", CONVERT),
    MAGIC(65600, "_BHRfS_M", "a btrfs image", CONVERT),
    MAGIC(0,
          "\x7f"
          "ELF",
          "a program (ELF)", NULL),
    MAGIC(0, "MZ", "a Windows program", NULL),
    MAGIC(0, "#!", "a script", "it may print or fetch the archive: run it by hand"),
    MAGIC(0, "%PDF", "a PDF document", NULL),
    MAGIC(0, "\x1f\x9d", "compressed with compress (.Z)", "compress it with gzip, xz or zstd"),
    MAGIC(0, "\x89LZO", "compressed with lzop", "compress it with gzip, xz or zstd"),
    MAGIC(0, "LRZI", "compressed with lrzip", "compress it with gzip, xz or zstd"),
    MAGIC(0, "LZIP", "compressed with lzip", "compress it with gzip, xz or zstd"),
    MAGIC(0, "\x5d\0\0", "compressed with lzma, xz's predecessor", "compress it with xz"),
    MAGIC(0, "\x02\x21\x4c\x18", "compressed with lz4 -l", "compress it without -l"),
    MAGIC(1024, "\xe2\xe1\xf5\xe0", "an EROFS image", CONVERT),
    MAGIC(1080, "\x53\xef", "an ext2, ext3 or ext4 image",
          "if it holds a root file system, berth import --in-place takes it as it is"),
    MAGIC(32769, "CD001", "an ISO 9660 image", CONVERT),
    MAGIC(512, "EFI PART", "a whole disk with a partition table", CONVERT),
    MAGIC(510, "\x55\xaa", "a whole disk with a boot sector", CONVERT),
};

static bool matches(const Signature *signature, const guint8 *head, gsize size)
{
    return size >= signature->offset + signature->size &&
           memcmp(head + signature->offset, signature->bytes, signature->size) == 0;
}

/* zstd and lz4 streams may begin with a skippable frame, which has the same signature in both. */
static bool is_skippable_frame(const guint8 *head, gsize size)
{
    return size >= 4 && (head[0] & 0xf0) == 0x50 && memcmp(head + 1, "\x2a\x4d\x18", 3) == 0;
}

BerthCompression berth_format_compression(const guint8 *head, gsize size)
{
    for (gsize i = 0; i < G_N_ELEMENTS(compressions); i++) {
        if (matches(&compressions[i].signature, head, size))
            return compressions[i].compression;
    }
    return is_skippable_frame(head, size) ? BERTH_COMPRESSION_ZSTD : BERTH_COMPRESSION_NONE;
}

BerthFormat berth_format_check_tar(const guint8 *head, gsize size)
{
    if (size < BERTH_HEADER_SIZE)
        return BERTH_FORMAT_OTHER;
    if (berth_header_is_zero(head)) {
        const char *hint = NULL;
        return berth_format_describe(head, size, &hint) == NULL ? BERTH_FORMAT_TAR
                                                                : BERTH_FORMAT_OTHER;
    }
    if (berth_header_checksum_is_right(head))
        return BERTH_FORMAT_TAR;
    return memcmp(head + 257, "ustar", 5) == 0 ? BERTH_FORMAT_DAMAGED_TAR : BERTH_FORMAT_OTHER;
}

static bool is_html(const guint8 *head, gsize size)
{
    gsize at = 0;
    while (at < size && g_ascii_isspace(head[at]))
        at++;
    const char *text = (const char *)head + at;
    gsize left = size - at;
    return (left >= 9 && g_ascii_strncasecmp(text, "<!doctype", 9) == 0) ||
           (left >= 5 && g_ascii_strncasecmp(text, "<html", 5) == 0);
}

const char *berth_format_describe(const guint8 *head, gsize size, const char **ret_hint)
{
    for (gsize i = 0; i < G_N_ELEMENTS(compressions) + G_N_ELEMENTS(others); i++) {
        const Signature *signature = i < G_N_ELEMENTS(compressions)
                                         ? &compressions[i].signature
                                         : &others[i - G_N_ELEMENTS(compressions)];
        if (!matches(signature, head, size))
            continue;
        *ret_hint = signature->hint;
        return signature->words;
    }
    if (!is_html(head, size))
        return NULL;
    *ret_hint = "the download was probably an error page: fetch it again";
    return "a web page (HTML)";
}
