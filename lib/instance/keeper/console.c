/* SPDX-License-Identifier: MIT */
#include "console.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct BerthConsole {
    char *path;
    char *old_path;
    guint64 half; /* half of the limit, bytes */
    guint64 size; /* of <path>, bytes */
    int log_fd;
    int input_fd;
    GSource *readable;
    GString *line; /* the line being written; only the beginning of a long one */
    char *panic;   /* the kernel's panic message */
};

enum { LINE_LENGTH_MAX = 512 };

/* Keep the message of the kernel's "Kernel panic" line (panic() in kernel/panic.c), made printable:
 * the guest wrote it. */
static void end_line(BerthConsole *console)
{
    static const char marker[] = "Kernel panic - not syncing: ";
    const char *found = strstr(console->line->str, marker);
    if (found != NULL && console->panic == NULL) {
        g_autofree char *words = g_utf8_make_valid(found + strlen(marker), -1);
        for (char *at = words; *at != '\0'; at++)
            *at = g_ascii_iscntrl(*at) ? ' ' : *at;
        console->panic = g_strdup(g_strstrip(words));
    }
    g_string_truncate(console->line, 0);
}

static void open_log(BerthConsole *console, int extra_flags)
{
    berth_fd_close(&console->log_fd);
    console->log_fd =
        open(console->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | extra_flags, 0600);
    struct stat status = {0};
    if (console->log_fd >= 0)
        fstat(console->log_fd, &status);
    console->size = (guint64)status.st_size;
}

static void watch(BerthConsole *console, const char *bytes, gsize size)
{
    for (gsize i = 0; i < size; i++) {
        if (bytes[i] == '\n')
            end_line(console);
        else if (bytes[i] != '\0' && console->line->len < LINE_LENGTH_MAX)
            g_string_append_c(console->line, bytes[i]);
    }
}

static void append(BerthConsole *console, const char *bytes, gsize size)
{
    if (console->size + size > console->half && console->size > 0) {
        rename(console->path, console->old_path);
        open_log(console, O_TRUNC);
    }
    size = MIN(size, console->half);
    if (console->log_fd >= 0 && berth_fd_write_all(console->log_fd, bytes, size) == 0)
        console->size += size;
}

static void log_output(BerthConsole *console, const char *bytes, gsize size)
{
    watch(console, bytes, size);
    append(console, bytes, size);
}

static void detach(BerthConsole *console)
{
    if (console->readable != NULL) {
        g_source_destroy(console->readable);
        g_clear_pointer(&console->readable, g_source_unref);
    }
    berth_fd_close(&console->input_fd);
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer user_data)
{
    BerthConsole *console = user_data;
    char bytes[4096];
    ssize_t size = read(fd, bytes, sizeof(bytes));
    if (size > 0)
        log_output(console, bytes, (gsize)size);
    else if (size == 0 || (errno != EAGAIN && errno != EINTR))
        detach(console);
    return G_SOURCE_CONTINUE;
}

BerthConsole *berth_console_new(const char *path, guint64 limit)
{
    BerthConsole *console = g_new0(BerthConsole, 1);
    console->path = g_strdup(path);
    console->old_path = g_strconcat(path, ".old", NULL);
    console->half = MAX(limit / 2, 1);
    console->log_fd = -1;
    console->input_fd = -1;
    console->line = g_string_new(NULL);
    open_log(console, 0);
    return console;
}

/* Read what is left in the socket: QEMU may have written it just before it ended. */
static void drain(BerthConsole *console)
{
    char bytes[4096];
    ssize_t size;
    while (console->input_fd >= 0 && (size = read(console->input_fd, bytes, sizeof(bytes))) > 0)
        log_output(console, bytes, (gsize)size);
}

void berth_console_free(BerthConsole *console)
{
    if (console == NULL)
        return;
    drain(console);
    detach(console);
    berth_fd_close(&console->log_fd);
    g_free(console->path);
    g_free(console->old_path);
    g_free(console->panic);
    g_string_free(console->line, TRUE);
    g_free(console);
}

void berth_console_attach(BerthConsole *console, int fd)
{
    drain(console);
    detach(console);
    g_string_truncate(console->line, 0);
    g_clear_pointer(&console->panic, g_free);
    berth_fd_set_nonblocking(fd, true);
    console->input_fd = fd;
    console->readable = g_unix_fd_source_new(fd, G_IO_IN | G_IO_HUP);
    g_source_set_callback(console->readable, G_SOURCE_FUNC(on_readable), console, NULL);
    g_source_attach(console->readable, g_main_context_get_thread_default());
}

const char *berth_console_panic(BerthConsole *console)
{
    drain(console);
    end_line(console);
    return console->panic;
}

void berth_console_log(BerthConsole *console, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *when = g_date_time_format(now, "%F %T");
    g_autofree char *line = g_strdup_printf("[berth %s] %s\n", when, text);
    append(console, line, strlen(line));
}
