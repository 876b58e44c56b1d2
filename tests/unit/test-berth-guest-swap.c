/* SPDX-License-Identifier: MIT */
#include "os/swap.h"

#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define GIB (G_GUINT64_CONSTANT(1) << 30)

/* As util-linux' mkswap writes it: version 1, the number of the last page, and the magic. */
static void test_header(void)
{
    const gsize page = (gsize)sysconf(_SC_PAGESIZE);
    static const guint64 sizes[] = {1 << 20, GIB, 4096 * GIB};
    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        guint32 words[2];
        g_autofree char *bytes = g_malloc(page + 1);
        int fd = memfd_create("swap", MFD_CLOEXEC);
        g_assert_cmpint(swap_write_header(fd, sizes[i]), ==, 0);
        g_assert_cmpint(pread(fd, bytes, page + 1, 0), ==, (gssize)page);
        memcpy(words, bytes + 1024, sizeof(words));
        g_assert_cmpuint(words[0], ==, 1);
        g_assert_cmpuint(words[1], ==, sizes[i] / page - 1);
        g_assert_cmpmem(bytes + page - 10, 10, "SWAPSPACE2", 10);
        close(fd);
    }
}

static void test_no_room(void)
{
    g_assert_cmpint(swap_write_header(-1, GIB), <, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/swap/header", test_header);
    g_test_add_func("/swap/no-room", test_no_room);
    return g_test_run();
}
