/* SPDX-License-Identifier: MIT
 *
 * A request of the guest's kernel: whatever its bytes, the check reads nothing beyond them, and
 * what passes has an end to each of its strings and no name that leads out of a directory.
 */
#include "share/message.h"

#include "fuzz.h"

#include <glib.h>
#include <linux/fuse.h>
#include <string.h>

static void check_lookup(const guint8 *message, gsize size)
{
    const char *name = (const char *)message + BERTH_MESSAGE_HEADER;
    g_assert_nonnull(memchr(name, '\0', size - BERTH_MESSAGE_HEADER));
    g_assert_cmpstr(name, !=, "..");
    g_assert_null(strchr(name, '/'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    /* a copy of its own size, so that a sanitizer sees a read beyond it */
    gsize length = BERTH_MESSAGE_HEADER + size - 2;
    guint8 *message = g_malloc0(length);
    struct fuse_in_header header = {.len = (guint32)length, .opcode = data[0] % 64u};
    memcpy(message, &header, sizeof(header));
    memcpy(message + sizeof(header), data + 2, size - 2);
    bool begun = data[1] % 8 != 0;
    BerthMessageVerdict verdict = berth_message_check(message, length, begun);
    if (header.opcode == FUSE_INIT)
        g_assert_true(!begun || verdict == BERTH_MESSAGE_BAD);
    if (header.opcode == FUSE_LOOKUP && verdict == BERTH_MESSAGE_GOOD)
        check_lookup(message, length);
    berth_message_wants_answer(message);
    g_free(message);
    return 0;
}
