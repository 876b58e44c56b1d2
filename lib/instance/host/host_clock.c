/* SPDX-License-Identifier: MIT */
#include "host_clock.h"

#include "base/fd.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct BerthHostClock {
    void (*on_change)(gpointer user_data);
    gpointer user_data;
    char *name; /* of the link in its directory */
    int timer_fd;
    int watch_fd;
    GSource *timer;
    GSource *watch;
};

/* The timer never expires; a clock jump cancels it (TFD_TIMER_CANCEL_ON_SET). */
static bool arm(int fd)
{
    const struct itimerspec never = {.it_value = {.tv_sec = G_MAXINT32}};
    return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) == 0;
}

static gboolean on_jump(gint fd, GIOCondition condition, gpointer user_data)
{
    BerthHostClock *clock = user_data;
    guint64 count;
    ssize_t size = read(fd, &count, sizeof(count));
    bool jumped = size < 0 && errno == ECANCELED;
    if (!arm(fd))
        return G_SOURCE_REMOVE;
    if (jumped)
        clock->on_change(clock->user_data);
    return G_SOURCE_CONTINUE;
}

static gboolean on_directory(gint fd, GIOCondition condition, gpointer user_data)
{
    BerthHostClock *clock = user_data;
    union {
        struct inotify_event event;
        char bytes[4096];
    } buffer;
    ssize_t size = read(fd, buffer.bytes, sizeof(buffer.bytes));
    bool changed = false;
    for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= size;) {
        const struct inotify_event *event = (const void *)(buffer.bytes + at);
        changed = changed || (event->len > 0 && strcmp(event->name, clock->name) == 0);
        at += (ssize_t)(sizeof(*event) + event->len);
    }
    if (changed)
        clock->on_change(clock->user_data);
    return G_SOURCE_CONTINUE;
}

static GSource *add_source(BerthHostClock *clock, int fd, GUnixFDSourceFunc func)
{
    GSource *source = g_unix_fd_source_new(fd, G_IO_IN);
    g_source_set_callback(source, G_SOURCE_FUNC(func), clock, NULL);
    g_source_attach(source, g_main_context_get_thread_default());
    return source;
}

BerthHostClock *berth_host_clock_new(const char *link, void (*on_change)(gpointer user_data),
                                     gpointer user_data)
{
    BerthHostClock *clock = g_new0(BerthHostClock, 1);
    g_autofree char *directory = g_path_get_dirname(link);
    clock->on_change = on_change;
    clock->user_data = user_data;
    clock->name = g_path_get_basename(link);

    clock->timer_fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (clock->timer_fd >= 0 && arm(clock->timer_fd))
        clock->timer = add_source(clock, clock->timer_fd, on_jump);
    clock->watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (clock->watch_fd >= 0 && inotify_add_watch(clock->watch_fd, directory,
                                                  IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE) >= 0)
        clock->watch = add_source(clock, clock->watch_fd, on_directory);
    return clock;
}

static void drop(GSource *source)
{
    if (source == NULL)
        return;
    g_source_destroy(source);
    g_source_unref(source);
}

void berth_host_clock_free(BerthHostClock *clock)
{
    if (clock == NULL)
        return;
    drop(clock->timer);
    drop(clock->watch);
    berth_fd_close(&clock->timer_fd);
    berth_fd_close(&clock->watch_fd);
    g_free(clock->name);
    g_free(clock);
}
