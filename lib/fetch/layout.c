/* SPDX-License-Identifier: MIT */
#include "layout.h"

#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 512U

/* A ustar header; all of it is text. */
typedef struct {
    char name[100];
    char mode[8], uid[8], gid[8];
    char size[12], mtime[12], checksum[8];
    char type;
    char link[100];
    char magic[6], version[2];
    char rest[247];
} Header;
G_STATIC_ASSERT(sizeof(Header) == BLOCK);

/* Bytes at a place of the file. */
typedef struct {
    guint64 offset;
    GBytes *bytes;
} Piece;

struct BerthFetchLayout {
    GArray *pieces;
    guint64 size;
};

static void piece_clear(gpointer data)
{
    g_bytes_unref(((Piece *)data)->bytes);
}

BerthFetchLayout *berth_fetch_layout_new(void)
{
    BerthFetchLayout *layout = g_new0(BerthFetchLayout, 1);
    layout->pieces = g_array_new(false, false, sizeof(Piece));
    g_array_set_clear_func(layout->pieces, piece_clear);
    return layout;
}

void berth_fetch_layout_free(BerthFetchLayout *layout)
{
    if (layout == NULL)
        return;
    g_array_unref(layout->pieces);
    g_free(layout);
}

static void add_piece(BerthFetchLayout *layout, const void *data, gsize size)
{
    Piece piece = {.offset = layout->size, .bytes = g_bytes_new(data, size)};
    g_array_append_val(layout->pieces, piece);
}

static void set_checksum(Header *header)
{
    guint sum = 0;
    memset(header->checksum, ' ', sizeof(header->checksum));
    for (gsize i = 0; i < sizeof(*header); i++)
        sum += ((const guint8 *)header)[i];
    g_snprintf(header->checksum, sizeof(header->checksum), "%06o", sum);
}

bool berth_fetch_layout_reserve(BerthFetchLayout *layout, const char *name, guint64 size,
                                guint64 *ret_offset, GError **error)
{
    Header header = {.type = '0', .version = {'0', '0'}};
    if (size > BERTH_FETCH_LAYOUT_BLOB_MAX || strlen(name) >= sizeof(header.name)) {
        berth_error_set(error, BERTH_ERROR_INVALID, "fetch.too-big", NULL,
                        "%.100s: it is larger than 8 GiB", name);
        return false;
    }
    memcpy(header.name, name, strlen(name));
    memcpy(header.magic, "ustar", sizeof("ustar"));
    memcpy(header.mode, "0000644", sizeof("0000644"));
    memcpy(header.uid, "0000000", sizeof("0000000"));
    memcpy(header.gid, "0000000", sizeof("0000000"));
    memcpy(header.mtime, "00000000000", sizeof("00000000000"));
    g_snprintf(header.size, sizeof(header.size), "%011" G_GINT64_MODIFIER "o", size);
    set_checksum(&header);
    add_piece(layout, &header, sizeof(header));
    *ret_offset = layout->size + sizeof(header);
    layout->size = *ret_offset + (size + BLOCK - 1) / BLOCK * BLOCK;
    return true;
}

bool berth_fetch_layout_add(BerthFetchLayout *layout, const char *name, const void *content,
                            gsize size, GError **error)
{
    guint64 offset = 0;
    if (!berth_fetch_layout_reserve(layout, name, size, &offset, error))
        return false;
    Piece piece = {.offset = offset, .bytes = g_bytes_new(content, size)};
    g_array_append_val(layout->pieces, piece);
    return true;
}

static bool write_piece(int fd, const Piece *piece)
{
    gsize size = 0;
    const char *data = g_bytes_get_data(piece->bytes, &size);
    for (gsize done = 0; done < size;) {
        ssize_t part = pwrite(fd, data + done, size - done, (off_t)(piece->offset + done));
        if (part < 0 && errno != EINTR)
            return false;
        done += (gsize)MAX(part, 0);
    }
    return true;
}

/* Two blocks of zeros end a tar; the file's new bytes are zeros. */
bool berth_fetch_layout_write(const BerthFetchLayout *layout, int fd, guint64 *ret_size,
                              GError **error)
{
    *ret_size = layout->size + 2 * BLOCK;
    bool ok = ftruncate(fd, (off_t)*ret_size) == 0;
    for (guint i = 0; ok && i < layout->pieces->len; i++)
        ok = write_piece(fd, &g_array_index(layout->pieces, Piece, i));
    if (!ok)
        berth_error_set_errno(error, errno, "fetch.write", "write the download");
    return ok;
}
