/* SPDX-License-Identifier: MIT
 *
 * A hostile ext4 image: reading it terminates, with an archive or a one-line error; comparing it
 * with itself does too, without a difference.
 *
 * The input is a list of changes to a small image: the first byte selects whether it has checksums
 * (with them most changes end early), then five bytes for each change: which nonzero block, the
 * offset in it, and the new byte.
 */
#include "../lib/patched_image.h"
#include "base/error.h"
#include "disk/image/diff.h"
#include "disk/image/export_archive.h"
#include "fuzz.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK_SIZE  4096U
#define CHANGE_SIZE 5U
#define CHANGES_MAX 64U
#define SECONDS_MAX 20 /* of CPU time */

typedef struct {
    guint8 *at;
    guint8 before;
} Change;

static PatchedImage *image;
static GArray *blocks; /* guint8 *, the nonzero blocks */
static guint8 superblock[1024];

static void set_up(void)
{
    static const guint8 zeros[BLOCK_SIZE];
    image = patched_image_new();
    blocks = g_array_new(FALSE, FALSE, sizeof(guint8 *));
    for (guint8 *at = image->bytes; at < image->bytes + PATCHED_IMAGE_SIZE; at += BLOCK_SIZE)
        if (memcmp(at, zeros, BLOCK_SIZE) != 0)
            g_array_append_val(blocks, at);
    memcpy(superblock, image->bytes + 1024, sizeof(superblock));
}

static void export(void)
{
    g_autoptr(GError) error = NULL;
    const BerthExportOptions options = {.format = BERTH_EXPORT_TAR};
    clock_t started = clock();
    int output = open("/dev/null", O_WRONLY | O_CLOEXEC);
    bool done = berth_export_archive(image->fd, output, &options, NULL, NULL, NULL, &error);
    close(output);
    g_assert_cmpint(done, ==, error == NULL);
    g_assert_true(done || strchr(error->message, '\n') == NULL);
    g_assert_true(done || g_str_has_prefix(berth_error_id(error), "export.read."));
    g_assert_cmpint(clock() - started, <, SECONDS_MAX * CLOCKS_PER_SEC);
}

static void compare(void)
{
    g_autoptr(GError) error = NULL;
    const BerthDiffImage same = {image->fd, "same"};
    guint64 entries = 0;
    clock_t started = clock();
    int output = open("/dev/null", O_WRONLY | O_CLOEXEC);
    bool done = berth_diff_images(&same, &same, output, NULL, NULL, &entries, &error);
    close(output);
    g_assert_cmpint(done, ==, error == NULL);
    g_assert_true(done || strchr(error->message, '\n') == NULL);
    g_assert_true(done || g_str_has_prefix(berth_error_id(error), "export.read."));
    g_assert_cmpint(clock() - started, <, SECONDS_MAX * CLOCKS_PER_SEC);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (image == NULL)
        set_up();
    if (size > 0 && (data[0] & 7) != 0)
        patched_image_drop_checksums(image);

    Change changes[CHANGES_MAX];
    guint count = 0;
    for (size_t at = 1; at + CHANGE_SIZE <= size && count < CHANGES_MAX; at += CHANGE_SIZE) {
        guint block = (guint)(data[at] << 8 | data[at + 1]) % blocks->len;
        guint offset = (guint)(data[at + 2] << 8 | data[at + 3]) % BLOCK_SIZE;
        Change *change = &changes[count++];
        change->at = g_array_index(blocks, guint8 *, block) + offset;
        change->before = *change->at;
        *change->at = data[at + 4];
    }
    export();
    compare();
    while (count > 0) {
        count--;
        *changes[count].at = changes[count].before;
    }
    memcpy(image->bytes + 1024, superblock, sizeof(superblock));
    return 0;
}
