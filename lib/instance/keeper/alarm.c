/* SPDX-License-Identifier: MIT */
#include "alarm.h"

#include "base/fd.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct BerthAlarm {
    void (*on_time)(gpointer user_data);
    gpointer user_data;
    int fd; /* or -1 */
    GSource *source;
};

/* The kernel compares an absolute time of CLOCK_REALTIME anew after each step and each sleep. */
static gboolean on_expired(gint fd, GIOCondition condition, gpointer user_data)
{
    BerthAlarm *alarm = user_data;
    guint64 count;
    if (read(fd, &count, sizeof(count)) == sizeof(count))
        alarm->on_time(alarm->user_data);
    return G_SOURCE_CONTINUE;
}

BerthAlarm *berth_alarm_new(void (*on_time)(gpointer user_data), gpointer user_data)
{
    BerthAlarm *alarm = g_new0(BerthAlarm, 1);
    alarm->on_time = on_time;
    alarm->user_data = user_data;
    alarm->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (alarm->fd < 0)
        return alarm;
    alarm->source = g_unix_fd_source_new(alarm->fd, G_IO_IN);
    g_source_set_callback(alarm->source, G_SOURCE_FUNC(on_expired), alarm, NULL);
    g_source_attach(alarm->source, g_main_context_get_thread_default());
    return alarm;
}

void berth_alarm_free(BerthAlarm *alarm)
{
    if (alarm == NULL)
        return;
    if (alarm->source != NULL) {
        g_source_destroy(alarm->source);
        g_source_unref(alarm->source);
    }
    berth_fd_close(&alarm->fd);
    g_free(alarm);
}

bool berth_alarm_set(BerthAlarm *alarm, gint64 realtime_usec)
{
    const struct itimerspec when = {
        .it_value = {.tv_sec = realtime_usec / G_USEC_PER_SEC,
                     .tv_nsec = realtime_usec % G_USEC_PER_SEC * 1000},
    };
    if (alarm->fd < 0) {
        errno = EMFILE;
        return realtime_usec == 0;
    }
    return timerfd_settime(alarm->fd, TFD_TIMER_ABSTIME, &when, NULL) == 0;
}
