/* SPDX-License-Identifier: MIT
 *
 * A stream of files from a hostile sender: whatever its frames, the receiver ends, makes nothing
 * outside of the destination, and leaves no temporary file.
 */
#include "fuzz.h"

#include "../lib/files.h"
#include "../lib/transferring.h"

#include <string.h>
#include <sys/stat.h>

/* Bytes of chance, and zeroes behind them. */
typedef struct {
    const uint8_t *next;
    size_t left;
} Chance;

static guint choose(Chance *chance, guint count)
{
    if (chance->left == 0)
        return 0;
    chance->left--;
    return *chance->next++ % count;
}

static const char *choose_name(Chance *chance)
{
    static const char *const names[] = {"a", "b", "c", "a", "b", ".", "..", "a/b", "", "/", "../o"};
    return names[choose(chance, G_N_ELEMENTS(names))];
}

static void put_fields(WireBuffer *stream, TransferType type, Chance *chance)
{
    switch (type) {
    case TRANSFER_SYMLINK:
        wire_put_string(stream, choose_name(chance));
        break;
    case TRANSFER_FILE:
        wire_put_u64(stream, choose(chance, 256));
        wire_put_u8(stream, 1);
        break;
    case TRANSFER_LINK:
        wire_put_u32(stream, choose(chance, 4));
        break;
    default:
        break;
    }
}

static void put_named(WireBuffer *stream, TransferType type, Chance *chance)
{
    if (type != TRANSFER_LINK) {
        wire_put_u32(stream, choose(chance, 2) == 0 ? 07777 : 0700);
        for (guint i = 0; i < 2; i++) {
            wire_put_u64(stream, choose(chance, 256) * 0x123456789abcdefu);
            wire_put_u32(stream, choose(chance, 256) << 24);
        }
    }
    wire_put_string(stream, choose_name(chance));
    put_fields(stream, type, chance);
}

/* A frame of a type that fits here most of the time. */
static void put_frame(WireBuffer *stream, Chance *chance)
{
    static const TransferType types[] = {TRANSFER_DIRECTORY, TRANSFER_DIRECTORY, TRANSFER_LEAVE,
                                         TRANSFER_FILE,      TRANSFER_DATA,      TRANSFER_FILE_END,
                                         TRANSFER_FILE_LOST, TRANSFER_ATTRIBUTE, TRANSFER_LINK,
                                         TRANSFER_SYMLINK,   TRANSFER_PROBLEM,   TRANSFER_END};
    TransferType type = types[choose(chance, G_N_ELEMENTS(types))];
    size_t begin = transferring_begin(stream, type);
    bool named = type == TRANSFER_DIRECTORY || type == TRANSFER_FILE || type == TRANSFER_LINK ||
                 type == TRANSFER_SYMLINK;
    if (named)
        put_named(stream, type, chance);
    if (type == TRANSFER_DATA || type == TRANSFER_FILE_END)
        wire_put_u64(stream, choose(chance, 64));
    if (type == TRANSFER_ATTRIBUTE)
        wire_put_string(stream, choose(chance, 4) == 0 ? "security.a" : "user.a");
    for (guint extra = choose(chance, 8); extra > 6; extra--)
        wire_put_u8(stream, (uint8_t)choose(chance, 256));
    transferring_end(stream, begin);
    if (type == TRANSFER_FILE && choose(chance, 2) == 0) {
        begin = transferring_begin(stream, TRANSFER_FILE_END);
        wire_put_u64(stream, 0);
        transferring_end(stream, begin);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    WireBuffer stream = {0};
    Chance chance = {data, size};
    Transferring test = {0};
    transferring_set_up(&test, NULL);
    files_write(transferring_path(&test, "from/b"), "outside");
    g_autofree char *before = transferring_describe(test.from);
    transferring_put_begin(&stream);
    if (choose(&chance, 8) == 0)
        wire_buffer_append(&stream, chance.next, chance.left);
    while (chance.left > 0)
        put_frame(&stream, &chance);
    transferring_receive(&test, &stream, test.to);
    g_autofree char *after = transferring_describe(test.from);
    g_assert_cmpstr(after, ==, before);
    g_autofree char *made = transferring_describe(test.to);
    g_assert_null(strstr(made, ".berth-cp"));
    wire_buffer_clear(&stream);
    transferring_tear_down(&test, NULL);
    return 0;
}
