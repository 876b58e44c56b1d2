/* SPDX-License-Identifier: MIT */
#include "host_pressure.h"

#include "base/fd.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <unistd.h>

#define STALL_USEC 200000u /* of the trigger */

/* Some program waited for memory 200 ms of 2 s, the shortest window for ordinary users. The kernel
 * wants the NUL, too (Documentation/accounting/psi.rst). */
static const char trigger[] = "some 200000 2000000";

struct BerthHostPressure {
    void (*on_pressure)(gpointer user_data);
    gpointer user_data;
    int fd;
    GSource *source;
    char *path;    /* or NULL: each event counts */
    guint64 total; /* microseconds of waiting, at the last event */
};

/* Of all programs, since the boot; 0: it is not known. */
static guint64 read_total(const char *path)
{
    g_autofree char *text = NULL;
    const char *total =
        g_file_get_contents(path, &text, NULL, NULL) ? strstr(text, "total=") : NULL;
    return total != NULL ? g_ascii_strtoull(total + strlen("total="), NULL, 10) : 0;
}

/* Whether processes have waited for memory since the last event. The kernel may report one event
 * for a new trigger although none has waited (seen with Linux 6.18). */
static bool is_real(BerthHostPressure *pressure)
{
    guint64 before = pressure->total;
    if (pressure->path == NULL)
        return true;
    pressure->total = read_total(pressure->path);
    return pressure->total == 0 || pressure->total >= before + STALL_USEC;
}

static gboolean on_event(gint fd, GIOCondition condition, gpointer user_data)
{
    BerthHostPressure *pressure = user_data;
    if ((condition & G_IO_ERR) != 0) /* the kernel watches no more */
        return G_SOURCE_REMOVE;
    if (is_real(pressure))
        pressure->on_pressure(pressure->user_data);
    return G_SOURCE_CONTINUE;
}

BerthHostPressure *berth_host_pressure_new_of(int fd, void (*on_pressure)(gpointer user_data),
                                              gpointer user_data)
{
    BerthHostPressure *pressure = g_new0(BerthHostPressure, 1);
    pressure->on_pressure = on_pressure;
    pressure->user_data = user_data;
    pressure->fd = fd;
    if (fd < 0)
        return pressure;
    pressure->source = g_unix_fd_source_new(fd, G_IO_PRI | G_IO_ERR);
    g_source_set_callback(pressure->source, G_SOURCE_FUNC(on_event), pressure, NULL);
    g_source_attach(pressure->source, g_main_context_get_thread_default());
    return pressure;
}

BerthHostPressure *berth_host_pressure_new(const char *path,
                                           void (*on_pressure)(gpointer user_data),
                                           gpointer user_data)
{
    berth_autofd int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && write(fd, trigger, sizeof(trigger)) != sizeof(trigger))
        berth_fd_close(&fd);
    BerthHostPressure *pressure =
        berth_host_pressure_new_of(berth_fd_steal(&fd), on_pressure, user_data);
    pressure->path = g_strdup(path);
    pressure->total = read_total(path);
    return pressure;
}

void berth_host_pressure_free(BerthHostPressure *pressure)
{
    if (pressure == NULL)
        return;
    if (pressure->source != NULL) {
        g_source_destroy(pressure->source);
        g_source_unref(pressure->source);
    }
    berth_fd_close(&pressure->fd);
    g_free(pressure->path);
    g_free(pressure);
}
