/* SPDX-License-Identifier: MIT */
#include "share/lock_ranges.h"

#include <fcntl.h>
#include <glib.h>
#include <unistd.h>

#define BYTES 24
#define TURNS 4000

/* Whether @ranges are in order, apart, and joined where they can be. */
static void check_form(const GArray *ranges)
{
    for (guint i = 0; i < ranges->len; i++) {
        const BerthLockRange *range = &g_array_index(ranges, BerthLockRange, i);
        g_assert_cmpint(range->start, <=, range->end);
        g_assert_true(range->type == F_RDLCK || range->type == F_WRLCK);
        if (i == 0)
            continue;
        const BerthLockRange *last = range - 1;
        g_assert_cmpint(last->end, <, range->start);
        g_assert_true(last->end + 1 < range->start || last->type != range->type);
    }
}

static int type_at(const GArray *ranges, gint64 at)
{
    for (guint i = 0; i < ranges->len; i++) {
        const BerthLockRange *range = &g_array_index(ranges, BerthLockRange, i);
        if (range->start <= at && at <= range->end)
            return range->type;
    }
    return F_UNLCK;
}

/* The last place stands for all up to the largest offset. */
static gint64 place(int byte)
{
    return byte == BYTES - 1 ? G_MAXINT64 : byte;
}

static void test_as_each_byte_for_itself(void)
{
    g_autoptr(GArray) ranges = g_array_new(FALSE, FALSE, sizeof(BerthLockRange));
    int bytes[BYTES];
    for (int i = 0; i < BYTES; i++)
        bytes[i] = F_UNLCK;
    for (int turn = 0; turn < TURNS; turn++) {
        int start = g_test_rand_int_range(0, BYTES), end = g_test_rand_int_range(start, BYTES);
        const BerthLockRange range = {place(start), place(end), g_test_rand_int_range(0, 3)};
        GArray *next = berth_lock_ranges_set(ranges, &range);
        g_array_unref(ranges);
        ranges = next;
        for (int i = start; i <= end; i++)
            bytes[i] = range.type;
        check_form(ranges);
        for (int i = 0; i < BYTES; i++)
            g_assert_cmpint(type_at(ranges, place(i)), ==, bytes[i]);
    }
}

static void test_as_the_kernel_names_them(void)
{
    const struct flock locks[] = {
        {.l_type = F_RDLCK, .l_start = 0, .l_len = 1},
        {.l_type = F_WRLCK, .l_start = 7, .l_len = 0},
        {.l_type = F_WRLCK, .l_start = G_MAXINT64, .l_len = 1},
        {.l_type = F_UNLCK, .l_start = 3, .l_len = G_MAXINT64},
    };
    const BerthLockRange ranges[] = {{0, 0, F_RDLCK},
                                     {7, G_MAXINT64, F_WRLCK},
                                     {G_MAXINT64, G_MAXINT64, F_WRLCK},
                                     {3, G_MAXINT64, F_UNLCK}};
    for (guint i = 0; i < G_N_ELEMENTS(locks); i++) {
        BerthLockRange range = berth_lock_range_of(&locks[i]);
        g_assert_cmpint(range.start, ==, ranges[i].start);
        g_assert_cmpint(range.end, ==, ranges[i].end);
        g_assert_cmpint(range.type, ==, ranges[i].type);
        struct flock back = berth_lock_range_flock(&range);
        g_assert_cmpint(back.l_start, ==, locks[i].l_start);
        g_assert_cmpint(back.l_len, ==, range.end == G_MAXINT64 ? 0 : locks[i].l_len);
        g_assert_cmpint(back.l_type, ==, locks[i].l_type);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/share/lock-ranges/bytes", test_as_each_byte_for_itself);
    g_test_add_func("/share/lock-ranges/flock", test_as_the_kernel_names_them);
    return g_test_run();
}
