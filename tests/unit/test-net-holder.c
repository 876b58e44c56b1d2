/* SPDX-License-Identifier: MIT */
#include "net/holder.h"

#include "../lib/files.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <unistd.h>

/* A fake /proc. */
typedef struct {
    char *root;
} Proc;

#define HEAD "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
#define TAIL "00000000:00000000 00:00000000 00000000 "

static void put_file(const Proc *proc, const char *path, const char *text)
{
    g_autofree char *full = g_build_filename(proc->root, path, NULL);
    g_autofree char *parent = g_path_get_dirname(full);
    g_assert_cmpint(g_mkdir_with_parents(parent, 0700), ==, 0);
    g_assert_true(g_file_set_contents(full, text, -1, NULL));
}

static void put_process(const Proc *proc, const char *pid, const char *name, const char *socket)
{
    g_autofree char *comm = g_strdup_printf("%s/comm", pid);
    put_file(proc, comm, name);
    g_autofree char *fd = g_build_filename(proc->root, pid, "fd", NULL);
    g_assert_cmpint(g_mkdir_with_parents(fd, 0700), ==, 0);
    g_autofree char *link = g_build_filename(fd, "7", NULL);
    g_assert_cmpint(symlink(socket, link), ==, 0);
}

static void setup(Proc *proc, gconstpointer data)
{
    proc->root = g_dir_make_tmp("berth-holder-XXXXXX", NULL);
    g_assert_nonnull(proc->root);
}

static void teardown(Proc *proc, gconstpointer data)
{
    files_remove(proc->root);
    g_free(proc->root);
}

static bool find(const Proc *proc, BerthHolder *ret_holder)
{
    const BerthLeg leg = {
        .protocol = BERTH_TCP, .family = 4, .host = {127, 0, 0, 1}, .host_port = 3000};
    return berth_holder_find(proc->root, &leg, ret_holder);
}

static void test_no_holder(Proc *proc, gconstpointer data)
{
    BerthHolder holder = {.inode = 7};
    g_assert_false(find(proc, &holder));
    put_file(proc, "net/tcp", HEAD "   0: 0100007F:0BB9 00000000:0000 0A " TAIL "0 0 11 1 0 1\n");
    g_assert_false(find(proc, &holder));
    g_assert_cmpuint(holder.inode, ==, 7);
}

static void test_conflicting_addresses(Proc *proc, gconstpointer data)
{
    static const struct {
        const char *table;
        const char *address;
        bool found;
    } cases[] = {
        {"net/tcp", "0100007F", true},
        {"net/tcp", "00000000", true},
        {"net/tcp", "0200007F", false}, /* 127.0.0.2 */
        {"net/tcp", "0F02000A", false},
        {"net/tcp6", "00000000000000000000000000000000", true},
        {"net/tcp6", "0000000000000000FFFF00000100007F", true},
        {"net/tcp6", "00000000000000000000000001000000", false}, /* ::1 */
        {"net/tcp6", "000080FE000000000000000001000000", false},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *row = g_strdup_printf(
            HEAD "   0: %s:0BB8 00000000:0000 0A " TAIL "1000 0 4242 1 0 1\n", cases[i].address);
        put_file(proc, "net/tcp", HEAD);
        put_file(proc, "net/tcp6", HEAD);
        put_file(proc, cases[i].table, row);
        BerthHolder holder = {0};
        g_assert_true(find(proc, &holder) == cases[i].found);
        g_assert_cmpuint(holder.inode, ==, cases[i].found ? 4242 : 0);
        g_assert_cmpuint(holder.uid, ==, cases[i].found ? 1000 : 0);
    }
}

static void test_other_legs(Proc *proc, gconstpointer data)
{
    static const struct {
        BerthLeg leg;
        const char *table;
        const char *address;
        bool found;
    } cases[] = {
        {{BERTH_FORWARD_WANTED, BERTH_TCP, 6, {[15] = 1}},
         "tcp6",
         "00000000000000000000000001000000",
         true},
        {{BERTH_FORWARD_WANTED, BERTH_TCP, 6, {[15] = 1}},
         "tcp6",
         "00000000000000000000000000000000",
         true},
        {{BERTH_FORWARD_WANTED, BERTH_TCP, 6, {[15] = 1}}, "tcp", "00000000", false},
        {{BERTH_FORWARD_WANTED, BERTH_TCP, 6, {[15] = 1}},
         "tcp6",
         "0000000000000000FFFF00000100007F",
         false},
        {{BERTH_FORWARD_WANTED, BERTH_TCP, 4, {127, 0, 7, 1}}, "tcp", "0107007F", true},
        {{BERTH_FORWARD_WANTED, BERTH_TCP, 4, {127, 0, 7, 1}}, "tcp", "0100007F", false},
        {{BERTH_FORWARD_WANTED, BERTH_TCP, 4, {0}}, "tcp", "0100007F", true},
        {{BERTH_FORWARD_WANTED, BERTH_TCP, 4, {0}},
         "tcp6",
         "00000000000000000000000001000000",
         false},
        {{BERTH_FORWARD_WANTED, BERTH_UDP, 4, {127, 0, 0, 1}}, "udp", "00000000", true},
        {{BERTH_FORWARD_WANTED, BERTH_UDP, 4, {127, 0, 0, 1}}, "tcp", "00000000", false},
        {{BERTH_FORWARD_WANTED, BERTH_UDP, 6, {[15] = 1}},
         "udp6",
         "00000000000000000000000000000000",
         true},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        static const char *const tables[] = {"net/tcp", "net/tcp6", "net/udp", "net/udp6"};
        for (gsize j = 0; j < G_N_ELEMENTS(tables); j++)
            put_file(proc, tables[j], HEAD);
        g_autofree char *row = g_strdup_printf(
            HEAD "   0: %s:0BB8 00000000:0000 07 " TAIL "1000 0 4242 1 0 1\n", cases[i].address);
        g_autofree char *table = g_strconcat("net/", cases[i].table, NULL);
        put_file(proc, table, row);
        BerthLeg leg = cases[i].leg;
        BerthHolder holder;
        leg.host_port = 3000;
        g_assert_true(berth_holder_find(proc->root, &leg, &holder) == cases[i].found);
    }
}

static void test_listener_before_connection(Proc *proc, gconstpointer data)
{
    put_file(proc, "net/tcp",
             HEAD "   0: 0100007F:0BB8 0100007F:1F90 01 " TAIL "0 0 11 1 0 1\n"
                  "   1: 0100007F:0BB8 00000000:0000 0A " TAIL "0 0 12 1 0 1\n"
                  "   2: 0100007F:0BB8 0100007F:1F91 01 " TAIL "0 0 13 1 0 1\n"
                  "   3: 0100007F:0BB8 0100007F:1F92 06 " TAIL "0 0 0 3 0 1\n");
    BerthHolder holder;
    g_assert_true(find(proc, &holder));
    g_assert_cmpuint(holder.inode, ==, 12);
}

static void test_invalid_rows_are_skipped(Proc *proc, gconstpointer data)
{
    put_file(proc, "net/tcp",
             "\n:\n0: 01:0BB8\n   0: 0100007F0100007F:0BB8 00000000:0000 0A " TAIL "0 0 12 1 0 1\n"
             "   1: 0100007F:0BB8 00000000:0000 0A " TAIL "-\n");
    BerthHolder holder;
    g_assert_false(find(proc, &holder));
}

static void test_names_the_process(Proc *proc, gconstpointer data)
{
    put_process(proc, "99", "sh\n", "socket:[77]");
    put_process(proc, "4121", "no\nde\x01\n", "socket:[7]");
    put_process(proc, "self", "self\n", "socket:[7]");
    g_autofree char *who = berth_holder_describe(proc->root, &(BerthHolder){7, getuid()});
    g_assert_cmpstr(who, ==, "no?de? (pid 4121)");
}

static void test_invisible_process(Proc *proc, gconstpointer data)
{
    put_process(proc, "99", "sh\n", "socket:[77]");
    g_autofree char *ours = berth_holder_describe(proc->root, &(BerthHolder){7, getuid()});
    g_assert_cmpstr(ours, ==, "another process");
    g_autofree char *theirs = berth_holder_describe(proc->root, &(BerthHolder){7, getuid() + 33});
    g_assert_nonnull(g_strrstr(theirs, "a process of user "));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add("/net/holder/" name, Proc, NULL, setup, function, teardown)
    ADD("no-holder", test_no_holder);
    ADD("conflicting-addresses", test_conflicting_addresses);
    ADD("other-legs", test_other_legs);
    ADD("listener-before-connection", test_listener_before_connection);
    ADD("invalid-rows-are-skipped", test_invalid_rows_are_skipped);
    ADD("names-the-process", test_names_the_process);
    ADD("invisible-process", test_invisible_process);
    return g_test_run();
}
