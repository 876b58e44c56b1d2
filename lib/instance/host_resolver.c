/* SPDX-License-Identifier: MIT */
#include "host_resolver.h"

#include "base/fd.h"

#include <glib-unix.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define LINKS_MAX 16u

#define DIRECTORY_EVENTS                                                                           \
    (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR)
#define FILE_EVENTS (IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF) /* it may be a mount */

struct BerthHostResolver {
    char *path;
    void (*on_change)(gpointer user_data);
    gpointer user_data;
    BerthResolvers list;
    int watch_fd;
    GSource *watch;
    GHashTable *names; /* of the files in watched directories that matter, a set */
};

static gboolean on_event(gint fd, GIOCondition condition, gpointer user_data);

static void watch_entry(BerthHostResolver *resolver, const char *path)
{
    g_autofree char *directory = g_path_get_dirname(path);
    g_autofree char *name = g_path_get_basename(path);
    while (inotify_add_watch(resolver->watch_fd, directory, DIRECTORY_EVENTS) < 0 &&
           strcmp(directory, "/") != 0) {
        g_autofree char *missing = g_steal_pointer(&directory);
        g_free(name);
        directory = g_path_get_dirname(missing);
        name = g_path_get_basename(missing);
    }
    g_hash_table_add(resolver->names, g_steal_pointer(&name));
}

/* Watch each link on the way to the file, and the file. */
static void watch_links(BerthHostResolver *resolver)
{
    g_autofree char *path = g_strdup(resolver->path);
    for (guint i = 0; i < LINKS_MAX; i++) {
        watch_entry(resolver, path);
        g_autofree char *target = g_file_read_link(path, NULL);
        if (target == NULL)
            break;
        g_autofree char *directory = g_path_get_dirname(path);
        g_free(path);
        path = g_canonicalize_filename(target, directory);
    }
    inotify_add_watch(resolver->watch_fd, path, FILE_EVENTS);
}

static void stop_watching(BerthHostResolver *resolver)
{
    if (resolver->watch != NULL) {
        g_source_destroy(resolver->watch);
        g_clear_pointer(&resolver->watch, g_source_unref);
    }
    berth_fd_close(&resolver->watch_fd);
    g_hash_table_remove_all(resolver->names);
}

/* Everything anew, since any link may lead elsewhere now. */
static void start_watching(BerthHostResolver *resolver)
{
    stop_watching(resolver);
    if (resolver->path == NULL)
        return;
    resolver->watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (resolver->watch_fd < 0)
        return;
    watch_links(resolver);
    resolver->watch = g_unix_fd_source_new(resolver->watch_fd, G_IO_IN);
    g_source_set_callback(resolver->watch, G_SOURCE_FUNC(on_event), resolver, NULL);
    g_source_attach(resolver->watch, g_main_context_get_thread_default());
}

static BerthResolvers read_list(const BerthHostResolver *resolver)
{
    g_autofree char *text = NULL;
    if (resolver->path == NULL || !g_file_get_contents(resolver->path, &text, NULL, NULL))
        return (BerthResolvers){0};
    return berth_resolv_parse(text);
}

/* Whether one of the events that wait matters. */
static bool read_events(const BerthHostResolver *resolver)
{
    union {
        struct inotify_event event;
        char bytes[4096];
    } buffer;
    bool matters = false;
    ssize_t size;
    while ((size = read(resolver->watch_fd, buffer.bytes, sizeof(buffer.bytes))) > 0)
        for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= size;) {
            const struct inotify_event *event = (const void *)(buffer.bytes + at);
            matters =
                matters || event->len == 0 || g_hash_table_contains(resolver->names, event->name);
            at += (ssize_t)(sizeof(*event) + event->len);
        }
    return matters;
}

static gboolean on_event(gint fd, GIOCondition condition, gpointer user_data)
{
    BerthHostResolver *resolver = user_data;
    if (!read_events(resolver))
        return G_SOURCE_CONTINUE;

    start_watching(resolver); /* first, so that no change is lost between the two */
    BerthResolvers list = read_list(resolver);
    if (memcmp(&list, &resolver->list, sizeof(list)) != 0) {
        resolver->list = list;
        resolver->on_change(resolver->user_data);
    }
    return G_SOURCE_REMOVE; /* there is another */
}

BerthHostResolver *berth_host_resolver_new(const char *path, void (*on_change)(gpointer user_data),
                                           gpointer user_data)
{
    BerthHostResolver *resolver = g_new0(BerthHostResolver, 1);
    resolver->path = g_strdup(path);
    resolver->on_change = on_change;
    resolver->user_data = user_data;
    resolver->watch_fd = -1;
    resolver->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    start_watching(resolver);
    resolver->list = read_list(resolver);
    return resolver;
}

void berth_host_resolver_free(BerthHostResolver *resolver)
{
    if (resolver == NULL)
        return;
    stop_watching(resolver);
    g_hash_table_unref(resolver->names);
    g_free(resolver->path);
    g_free(resolver);
}

const BerthResolvers *berth_host_resolver_list(const BerthHostResolver *resolver)
{
    return &resolver->list;
}
