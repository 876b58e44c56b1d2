/* SPDX-License-Identifier: MIT */
#include "os/reclaim.h"

#include "../lib/distro_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEMINFO                                                                                    \
    "MemTotal:        1000000 kB\nAnonPages:         40960 kB\nInactive(file):   102400 kB\n"

typedef struct {
    DistroTree tree;
    char *proc;
    ReclaimSystem system;
    int requests; /* what was written to memory.reclaim */
} Fixture;

static void put(Fixture *fixture, const char *name, const char *text)
{
    distro_tree_put(&fixture->tree, name, text, 0600);
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    distro_tree_set_up(&fixture->tree, NULL);
    fixture->proc = g_build_filename(fixture->tree.path, "proc", NULL);
    fixture->system = (ReclaimSystem){.cgroups = fixture->tree.path, .proc = fixture->proc};
    put(fixture, "proc/meminfo", MEMINFO "SwapFree: 10240 kB\n");
    put(fixture, "proc/vmstat",
        "nr_free_pages 100\nworkingset_refault_anon 9\nworkingset_refault_file 3\n");
    put(fixture, "proc/pressure/memory", "some avg10=9.00 avg60=0.00 avg300=0.00 total=500\n");
    put(fixture, "proc/pressure/io", "some avg10=90.00 avg60=0.00 avg300=0.00 total=70\nfull\n");
    put(fixture, "proc/buddyinfo", "Node 0, zone    DMA32   8191      0      0 0 0 0 0 0 0 5 9\n");
    put(fixture, "proc/sys/vm/drop_caches", "");
    put(fixture, "proc/sys/vm/compact_memory", "");
    g_assert_cmpint(mkfifoat(fixture->tree.fd, "memory.reclaim", 0600), ==, 0);
    fixture->requests = openat(fixture->tree.fd, "memory.reclaim", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    g_assert_cmpint(fixture->requests, >=, 0);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    close(fixture->requests);
    g_free(fixture->proc);
    distro_tree_tear_down(&fixture->tree, NULL);
}

static void expect_requests(Fixture *fixture, const char *wanted)
{
    char text[1024];
    ssize_t size = read(fixture->requests, text, sizeof(text) - 1);
    text[MAX(size, 0)] = '\0';
    g_assert_cmpstr(text, ==, wanted);
}

static void expect_written(Fixture *fixture, const char *name, const char *wanted)
{
    distro_tree_assert_text(&fixture->tree, name, wanted);
}

static void test_page_cache(Fixture *fixture, gconstpointer data)
{
    g_assert_cmpint(reclaim_run(&fixture->system, false), ==, 0);
    expect_requests(fixture, "67108864 swappiness=037748736 swappiness=0");
    expect_written(fixture, "proc/sys/vm/drop_caches", "");
    expect_written(fixture, "proc/sys/vm/compact_memory", ""); /* 32 MiB but a page */
}

/* As much as there is swap for, of half of it. */
static void test_urgent(Fixture *fixture, gconstpointer data)
{
    g_assert_cmpint(reclaim_run(&fixture->system, true), ==, 0);
    expect_requests(fixture, "67108864 swappiness=037748736 swappiness=010485760 swappiness=200");
    put(fixture, "proc/meminfo", MEMINFO "SwapFree: 0 kB\n");
    g_assert_cmpint(reclaim_run(&fixture->system, true), ==, 0);
    expect_requests(fixture, "67108864 swappiness=037748736 swappiness=0");
    put(fixture, "proc/meminfo", MEMINFO "SwapFree: 102400 kB\n");
    g_assert_cmpint(reclaim_run(&fixture->system, true), ==, 0);
    expect_requests(fixture, "67108864 swappiness=037748736 swappiness=020971520 swappiness=200");
}

static void test_pieces_are_joined(Fixture *fixture, gconstpointer data)
{
    static const char *const rows[] = {
        "Node 0, zone    DMA32   8192      0      0 0 0 0 0 0 0 0 0\n",
        ("Node 0, zone      DMA   4096      0      0 0 0 0 0 0 0 0 0\n"
         "Node 0, zone   Normal      0   2048      0 0 0 0 0 0 0 0 0\n"),
        "Node 0, zone    DMA32      0      0      0 0 0 0 0 0 32 0 0",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        put(fixture, "proc/sys/vm/compact_memory", "");
        put(fixture, "proc/buddyinfo", rows[i]);
        g_assert_cmpint(reclaim_run(&fixture->system, false), ==, 0);
        expect_written(fixture, "proc/sys/vm/compact_memory", "1");
    }
    put(fixture, "proc/sys/vm/compact_memory", "");
    for (const char *const *odd =
             (const char *[]){"", "zone\n", "Node 0, zone\n\n", "zone X -1", NULL};
         *odd != NULL; odd++) {
        put(fixture, "proc/buddyinfo", *odd);
        g_assert_cmpint(reclaim_run(&fixture->system, false), ==, 0);
    }
}

/* Of an init that mounts no control groups, or those of version 1. */
static void test_without_control_groups(Fixture *fixture, gconstpointer data)
{
    unlinkat(fixture->tree.fd, "memory.reclaim", 0);
    g_assert_cmpint(reclaim_run(&fixture->system, false), ==, 0);
    expect_written(fixture, "proc/sys/vm/drop_caches", "1");
    put(fixture, "proc/sys/vm/drop_caches", "");
    fixture->system.cgroups = NULL;
    g_assert_cmpint(reclaim_run(&fixture->system, false), ==, 0);
    expect_written(fixture, "proc/sys/vm/drop_caches", "1");
    unlinkat(fixture->tree.fd, "proc/sys/vm/drop_caches", 0);
    g_assert_cmpint(reclaim_run(&fixture->system, false), ==, -ENOENT);
    fixture->system.proc = NULL;
    g_assert_cmpint(reclaim_run(&fixture->system, false), ==, -ENOSYS);
}

static void test_counts(Fixture *fixture, gconstpointer data)
{
    const guint64 page = (guint64)sysconf(_SC_PAGESIZE);
    ReclaimCounts counts = reclaim_counts(&fixture->system);
    g_assert_cmpuint(counts.free, ==, 100 * page);
    g_assert_cmpuint(counts.refaulted, ==, 3 * page);
    g_assert_cmpuint(reclaim_stalled_usec(&fixture->system), ==, 570);
    unlinkat(fixture->tree.fd, "proc/pressure/io", 0);
    g_assert_cmpuint(reclaim_stalled_usec(&fixture->system), ==, 500);
    fixture->system.proc = NULL;
    counts = reclaim_counts(&fixture->system);
    g_assert_cmpuint(counts.free + counts.refaulted, ==, 0);
}

static int status_of(pid_t pid)
{
    int status;
    g_assert_cmpint(pid, >, 0);
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Answer one read of the FIFO @now, and replace it by @next before that. */
static void say(Fixture *fixture, const char *now, const char *next, const char *text)
{
    g_autofree char *path = g_build_filename(fixture->tree.path, now, NULL);
    FILE *stream = fopen(path, "w"); /* waits for the reader */
    g_assert_nonnull(stream);
    if (next != NULL)
        g_assert_cmpint(renameat(fixture->tree.fd, next, fixture->tree.fd, now), ==, 0);
    fputs(text, stream);
    fclose(stream);
}

/* Processes waited between its two reads, the least or a microsecond less. */
static void test_busy(Fixture *fixture, gconstpointer data)
{
    static const struct {
        const char *text;
        int status;
    } rows[] = {{"some avg10=0.00 total=25070\n", EBUSY}, {"some avg10=0.00 total=25069\n", 0}};
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        unlinkat(fixture->tree.fd, "proc/pressure/io", 0);
        g_assert_cmpint(mkfifoat(fixture->tree.fd, "proc/pressure/io", 0600), ==, 0);
        g_assert_cmpint(mkfifoat(fixture->tree.fd, "next", 0600), ==, 0);
        pid_t pid = reclaim_start(&fixture->system, false);
        say(fixture, "proc/pressure/io", "next", "some avg10=99.00 total=70\n");
        say(fixture, "proc/pressure/io", NULL, rows[i].text);
        g_assert_cmpint(status_of(pid), ==, rows[i].status);
        expect_requests(fixture,
                        rows[i].status != 0 ? "" : "67108864 swappiness=037748736 swappiness=0");
    }
    g_assert_cmpint(status_of(reclaim_start(&fixture->system, true)), ==, 0); /* it does not look */
}

#define ADD(name, function) g_test_add("/reclaim/" name, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("page-cache", test_page_cache);
    ADD("urgent", test_urgent);
    ADD("pieces", test_pieces_are_joined);
    ADD("no-groups", test_without_control_groups);
    ADD("counts", test_counts);
    ADD("busy", test_busy);
    return g_test_run();
}
