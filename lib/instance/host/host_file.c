/* SPDX-License-Identifier: MIT */
#include "host_file.h"

#include "base/fd.h"

#include <glib-unix.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define LINKS_MAX 16u

#define DIRECTORY_EVENTS                                                                           \
    (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR)
#define FILE_EVENTS (IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF) /* it may be a mount */

struct BerthHostFile {
    char *path;
    void (*on_change)(gpointer user_data);
    gpointer user_data;
    char *text; /* "" where it cannot be read */
    int watch_fd;
    GSource *watch;
    GHashTable *names; /* of the files in watched directories that matter, a set */
};

static gboolean on_event(gint fd, GIOCondition condition, gpointer user_data);

static void watch_entry(BerthHostFile *file, const char *path)
{
    g_autofree char *directory = g_path_get_dirname(path);
    g_autofree char *name = g_path_get_basename(path);
    while (inotify_add_watch(file->watch_fd, directory, DIRECTORY_EVENTS) < 0 &&
           strcmp(directory, "/") != 0) {
        g_autofree char *missing = g_steal_pointer(&directory);
        g_free(name);
        directory = g_path_get_dirname(missing);
        name = g_path_get_basename(missing);
    }
    g_hash_table_add(file->names, g_steal_pointer(&name));
}

/* Watch each link on the way to the file, and the file. */
static void watch_links(BerthHostFile *file)
{
    g_autofree char *path = g_strdup(file->path);
    for (guint i = 0; i < LINKS_MAX; i++) {
        watch_entry(file, path);
        g_autofree char *target = g_file_read_link(path, NULL);
        if (target == NULL)
            break;
        g_autofree char *directory = g_path_get_dirname(path);
        g_free(path);
        path = g_canonicalize_filename(target, directory);
    }
    inotify_add_watch(file->watch_fd, path, FILE_EVENTS);
}

static void stop_watching(BerthHostFile *file)
{
    if (file->watch != NULL) {
        g_source_destroy(file->watch);
        g_clear_pointer(&file->watch, g_source_unref);
    }
    berth_fd_close(&file->watch_fd);
    g_hash_table_remove_all(file->names);
}

/* Rebuild all watches, since any link may have a new target. */
static void start_watching(BerthHostFile *file)
{
    stop_watching(file);
    if (file->path == NULL)
        return;
    file->watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (file->watch_fd < 0)
        return;
    watch_links(file);
    file->watch = g_unix_fd_source_new(file->watch_fd, G_IO_IN);
    g_source_set_callback(file->watch, G_SOURCE_FUNC(on_event), file, NULL);
    g_source_attach(file->watch, g_main_context_get_thread_default());
}

static char *read_text(const BerthHostFile *file)
{
    char *text = NULL;
    if (file->path == NULL || !g_file_get_contents(file->path, &text, NULL, NULL))
        return g_strdup("");
    return text;
}

/* Read pending events. True when one concerns the file or a link to it. */
static bool read_events(const BerthHostFile *file)
{
    union {
        struct inotify_event event;
        char bytes[4096];
    } buffer;
    bool matters = false;
    ssize_t size;
    while ((size = read(file->watch_fd, buffer.bytes, sizeof(buffer.bytes))) > 0)
        for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= size;) {
            const struct inotify_event *event = (const void *)(buffer.bytes + at);
            matters = matters || event->len == 0 || g_hash_table_contains(file->names, event->name);
            at += (ssize_t)(sizeof(*event) + event->len);
        }
    return matters;
}

static gboolean on_event(gint fd, GIOCondition condition, gpointer user_data)
{
    BerthHostFile *file = user_data;
    if (!read_events(file))
        return G_SOURCE_CONTINUE;

    start_watching(file); /* before the read, so that no change is lost */
    g_autofree char *text = read_text(file);
    if (strcmp(text, file->text) != 0) {
        g_free(file->text);
        file->text = g_steal_pointer(&text);
        file->on_change(file->user_data);
    }
    return G_SOURCE_REMOVE; /* start_watching made a new source */
}

BerthHostFile *berth_host_file_new(const char *path, void (*on_change)(gpointer user_data),
                                   gpointer user_data)
{
    BerthHostFile *file = g_new0(BerthHostFile, 1);
    file->path = g_strdup(path);
    file->on_change = on_change;
    file->user_data = user_data;
    file->watch_fd = -1;
    file->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    start_watching(file);
    file->text = read_text(file);
    return file;
}

void berth_host_file_free(BerthHostFile *file)
{
    if (file == NULL)
        return;
    stop_watching(file);
    g_hash_table_unref(file->names);
    g_free(file->path);
    g_free(file->text);
    g_free(file);
}

const char *berth_host_file_text(const BerthHostFile *file)
{
    return file->text;
}
