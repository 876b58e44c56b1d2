/* SPDX-License-Identifier: MIT */
#include "os/loop.h"

#include "../lib/failing.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* A pipe with a byte to read. */
typedef struct {
    Source source;
    int writer;
    guint calls;
} Watched;

static void on_ready(Source *source, uint32_t events)
{
    Watched *watched = container_of(source, Watched, source);
    g_assert_cmpuint(events, ==, EPOLLIN);
    watched->calls++;
}

static bool add(Loop *loop, Watched *watched)
{
    int pair[2];
    if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
        return false;
    g_assert_cmpint(write(pair[1], "x", 1), ==, 1);
    *watched = (Watched){.writer = pair[1]};
    loop_add(loop, &watched->source, pair[0], EPOLLIN, on_ready);
    return true;
}

static void drop(Loop *loop, Watched *watched)
{
    loop_close(loop, &watched->source);
    close(watched->writer);
    memset(watched, 0xff, sizeof(*watched)); /* as if another owner had the memory */
}

static void turn_until_called(Loop *loop, const Watched *watched)
{
    while (watched->calls == 0)
        g_assert_cmpint(loop_turn(loop), ==, 0);
}

static void run_watch(gpointer data)
{
    Loop loop;
    Watched watched;
    if (loop_init(&loop) < 0)
        return;
    if (add(&loop, &watched)) {
        turn_until_called(&loop, &watched);
        drop(&loop, &watched);
    }
    close(loop.epoll);
}

/* The kernel refuses to watch a source: it is watched once the kernel has room again. */
static void test_refused(void)
{
    g_assert_cmpuint(failing_each_once(run_watch, NULL), ==, 3);
}

static void run_change(gpointer data)
{
    Loop loop;
    Watched list[3];
    guint count = 0;
    if (loop_init(&loop) < 0)
        return;
    while (count < G_N_ELEMENTS(list) && add(&loop, &list[count]))
        count++;
    if (count == G_N_ELEMENTS(list)) {
        drop(&loop, &list[0]);
        loop_watch(&loop, &list[1].source, 0);
        turn_until_called(&loop, &list[2]);
        g_assert_cmpuint(list[1].calls, ==, 0);
        loop_watch(&loop, &list[1].source, EPOLLIN);
        turn_until_called(&loop, &list[1]);
    }
    for (guint i = count == G_N_ELEMENTS(list) ? 1 : 0; i < count; i++)
        drop(&loop, &list[i]);
    close(loop.epoll);
}

/* A refused source that its owner closes or masks is not watched again. */
static void test_refused_then_changed(void)
{
    g_assert_cmpuint(failing_each_once(run_change, NULL), >=, 8);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/berth-guest/loop/refused", test_refused);
    g_test_add_func("/berth-guest/loop/refused-then-changed", test_refused_then_changed);
    return g_test_run();
}
