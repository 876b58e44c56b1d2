/* SPDX-License-Identifier: MIT */
#include "base/fd.h"
#include "vmm/guest_ends.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE (64u << 20)
#define AT   (32u << 20)

/* Ends whose memory has some bytes in its middle. */
static void open_ends(BerthGuestEnds *ends)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(berth_guest_ends_open(ends, &error));
    g_assert_no_error(error);
    g_assert_cmpint(ftruncate(ends->memory, SIZE), ==, 0);
    g_assert_cmpint(pwrite(ends->memory, "memory", 6, AT), ==, 6);
}

static void assert_contents(int memory, const char *text)
{
    char bytes[16] = "";
    g_assert_cmpint(pread(memory, bytes, strlen(text), AT), ==, (gssize)strlen(text));
    g_assert_cmpstr(bytes, ==, text);
}

static void test_sealed(void)
{
    BerthGuestEnds ends = BERTH_GUEST_ENDS_INIT;
    open_ends(&ends);
    g_assert_false(berth_guest_ends_is_sealed(ends.memory));
    g_assert_true(berth_guest_ends_seal(&ends));
    g_assert_true(berth_guest_ends_seal(&ends)); /* once more */
    g_assert_true(ends.is_sealed && berth_guest_ends_is_sealed(ends.memory));
    g_assert_cmpint(pwrite(ends.memory, "other", 5, AT), <, 0);
    g_assert_cmpint(ftruncate(ends.memory, 0), <, 0);
    g_assert_cmpint(fallocate(ends.memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, SIZE), <,
                    0);
    assert_contents(ends.memory, "memory");
    berth_guest_ends_clear(&ends);
    g_assert_false(ends.is_sealed);
}

/* What a private mapping writes is its own. */
static void test_private_mapping(void)
{
    BerthGuestEnds ends = BERTH_GUEST_ENDS_INIT;
    open_ends(&ends);
    g_assert_true(berth_guest_ends_seal(&ends));
    char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, ends.memory, 0);
    g_assert_true(memory != MAP_FAILED);
    memcpy(memory + AT, "change", 6);
    assert_contents(ends.memory, "memory");
    g_assert_cmpint(munmap(memory, SIZE), ==, 0);
    berth_guest_ends_clear(&ends);
}

/* As of a QEMU that still runs. */
static void test_mapped(void)
{
    BerthGuestEnds ends = BERTH_GUEST_ENDS_INIT;
    open_ends(&ends);
    void *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, ends.memory, 0);
    g_assert_true(memory != MAP_FAILED);
    g_assert_false(berth_guest_ends_seal(&ends));
    g_assert_cmpint(errno, ==, EBUSY);
    g_assert_false(ends.is_sealed);
    g_assert_cmpint(munmap(memory, SIZE), ==, 0);
    g_assert_true(berth_guest_ends_seal(&ends));
    berth_guest_ends_clear(&ends);
}

static void test_other_files(void)
{
    berth_autofd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    g_assert_false(berth_guest_ends_is_sealed(null));
    g_assert_false(berth_guest_ends_is_sealed(-1));
}

static void test_copy(void)
{
    BerthGuestEnds ends = BERTH_GUEST_ENDS_INIT;
    struct stat st, before;
    open_ends(&ends);
    g_assert_true(berth_guest_ends_seal(&ends));
    g_assert_cmpint(fstat(ends.memory, &before), ==, 0);
    berth_autofd int copy = berth_guest_ends_memory();
    g_assert_true(berth_guest_ends_copy(ends.memory, copy));
    g_assert_cmpint(fstat(copy, &st), ==, 0);
    g_assert_cmpint(st.st_size, ==, SIZE);
    g_assert_cmpint(st.st_blocks, ==, before.st_blocks); /* its holes are holes */
    assert_contents(copy, "memory");
    g_assert_cmpint(pwrite(copy, "change", 6, AT), ==, 6);
    assert_contents(ends.memory, "memory");
    g_assert_cmpint(fstat(ends.memory, &st), ==, 0);
    g_assert_cmpint(st.st_blocks, ==, before.st_blocks);
    berth_guest_ends_clear(&ends);
}

static void test_copy_of_nothing(void)
{
    berth_autofd int from = berth_guest_ends_memory();
    berth_autofd int to = berth_guest_ends_memory();
    g_assert_true(berth_guest_ends_copy(from, to));
    g_assert_false(berth_guest_ends_copy(-1, to));
    g_assert_cmpint(errno, ==, EBADF);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vmm/guest_ends/sealed", test_sealed);
    g_test_add_func("/vmm/guest_ends/private-mapping", test_private_mapping);
    g_test_add_func("/vmm/guest_ends/mapped", test_mapped);
    g_test_add_func("/vmm/guest_ends/other-files", test_other_files);
    g_test_add_func("/vmm/guest_ends/copy", test_copy);
    g_test_add_func("/vmm/guest_ends/copy-of-nothing", test_copy_of_nothing);
    return g_test_run();
}
