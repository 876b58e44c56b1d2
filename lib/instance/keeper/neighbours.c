/* SPDX-License-Identifier: MIT */
#include "neighbours.h"

#include "base/fd.h"
#include "instance/control/runtime_files.h"
#include "model/machine.h"

#include <arpa/inet.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

struct BerthNeighbours {
    char *dir;
    int dir_fd;      /* of the runtime directory, even if it was moved; or -1 */
    char *path;      /* of our file, through dir_fd */
    char *published; /* what is in it, or NULL */
    void (*released)(gpointer user_data);
    gpointer user_data;
    int watch_fd; /* inotify; -1: no watch */
    GSource *watch;
};

/* --- ours --- */

BerthNeighbours *berth_neighbours_new(const char *dir, void (*released)(gpointer user_data),
                                      gpointer user_data)
{
    BerthNeighbours *neighbours = g_new0(BerthNeighbours, 1);
    neighbours->dir = g_strdup(dir);
    neighbours->dir_fd = berth_runtime_files_open(dir);
    neighbours->path = g_strdup_printf("/proc/self/fd/%d/" BERTH_RUNTIME_PORTS, neighbours->dir_fd);
    neighbours->released = released;
    neighbours->user_data = user_data;
    neighbours->watch_fd = -1;
    unlink(neighbours->path); /* left by a keeper that crashed */
    return neighbours;
}

void berth_neighbours_free(BerthNeighbours *neighbours)
{
    if (neighbours == NULL)
        return;
    berth_neighbours_unwatch(neighbours);
    unlink(neighbours->path);
    berth_fd_close(&neighbours->dir_fd);
    g_free(neighbours->dir);
    g_free(neighbours->path);
    g_free(neighbours->published);
    g_free(neighbours);
}

static void append_legs(GString *text, const BerthForward *forward)
{
    for (guint i = 0; i < BERTH_LEGS; i++) {
        const BerthLeg *leg = &forward->legs[i];
        if (leg->state != BERTH_FORWARD_OPEN)
            continue;
        g_autofree char *address = berth_rule_address_text(leg->family, leg->host);
        g_string_append_printf(text, "%s %s %u\n", berth_protocol_word(leg->protocol), address,
                               leg->host_port);
    }
}

void berth_neighbours_publish(BerthNeighbours *neighbours, const GPtrArray *forwards)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < forwards->len; i++)
        append_legs(text, g_ptr_array_index(forwards, i));
    if (g_strcmp0(neighbours->published, text->str) == 0)
        return;
    g_free(neighbours->published);
    neighbours->published = g_strdup(text->str);
    g_autofree char *new_path = g_strconcat(neighbours->path, ".new", NULL);
    if (g_file_set_contents_full(new_path, text->str, (gssize)text->len, G_FILE_SET_CONTENTS_NONE,
                                 0600, NULL))
        g_rename(new_path, neighbours->path); /* atomic for readers */
}

/* --- theirs --- */

/* Whether the leg in @line collides with @leg: the same address, or the wildcard address on either
 * side. */
static bool collides(const char *line, const BerthLeg *leg)
{
    static const guint8 any[16];
    char protocol[4], text[INET6_ADDRSTRLEN];
    guint8 address[16] = {0};
    guint port;
    if (sscanf(line, "%3s %45s %u", protocol, text, &port) != 3 || port != leg->host_port ||
        strcmp(protocol, berth_protocol_word(leg->protocol)) != 0 ||
        inet_pton(leg->family == 6 ? AF_INET6 : AF_INET, text, address) != 1)
        return false;
    return memcmp(address, leg->host, 16) == 0 || memcmp(address, any, 16) == 0 ||
           memcmp(leg->host, any, 16) == 0;
}

static bool has_leg(const char *dir, const BerthLeg *leg)
{
    g_autofree char *path = g_build_filename(dir, BERTH_RUNTIME_PORTS, NULL);
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL))
        return false;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line != NULL; line++)
        if (collides(*line, leg))
            return true;
    return false;
}

/* Whether the process that the lock names is a live keeper. */
static bool is_kept(const char *dir)
{
    g_autofree char *lock = g_build_filename(dir, "lock", NULL);
    g_autofree char *pid = NULL;
    g_autofree char *name = NULL;
    if (!g_file_get_contents(lock, &pid, NULL, NULL) || atoi(pid) <= 0)
        return false;
    g_autofree char *comm = g_strdup_printf("/proc/%d/comm", atoi(pid));
    return g_file_get_contents(comm, &name, NULL, NULL) &&
           strcmp(g_strchomp(name), "berth-keeper") == 0;
}

/* Read pending events. True when one concerns a ports file. */
static bool read_events(int fd)
{
    union {
        struct inotify_event event;
        char bytes[4096];
    } buffer;
    bool found = false;
    ssize_t size;
    while ((size = read(fd, buffer.bytes, sizeof(buffer.bytes))) > 0) {
        for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= size;) {
            const struct inotify_event *event = (const void *)(buffer.bytes + at);
            found = found || (event->len > 0 && strcmp(event->name, BERTH_RUNTIME_PORTS) == 0);
            at += (ssize_t)(sizeof(*event) + event->len);
        }
    }
    return found;
}

static gboolean on_change(gint fd, GIOCondition condition, gpointer user_data)
{
    BerthNeighbours *neighbours = user_data;
    if (read_events(fd))
        neighbours->released(neighbours->user_data);
    return G_SOURCE_CONTINUE;
}

static void watch(BerthNeighbours *neighbours, const char *dir)
{
    if (neighbours->watch_fd < 0) {
        neighbours->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (neighbours->watch_fd < 0)
            return; /* then only the timed retry is left */
        neighbours->watch = g_unix_fd_source_new(neighbours->watch_fd, G_IO_IN);
        g_source_set_callback(neighbours->watch, G_SOURCE_FUNC(on_change), neighbours, NULL);
        g_source_attach(neighbours->watch, g_main_context_get_thread_default());
    }
    inotify_add_watch(neighbours->watch_fd, dir, IN_MOVED_TO | IN_DELETE | IN_ONLYDIR);
}

void berth_neighbours_unwatch(BerthNeighbours *neighbours)
{
    if (neighbours->watch == NULL)
        return;
    g_source_destroy(neighbours->watch);
    g_clear_pointer(&neighbours->watch, g_source_unref);
    berth_fd_close(&neighbours->watch_fd);
}

char *berth_neighbours_find(BerthNeighbours *neighbours, const BerthLeg *leg)
{
    g_autofree char *runtime = g_path_get_dirname(neighbours->dir);
    g_autoptr(GDir) directory = g_dir_open(runtime, 0, NULL);
    const char *id;
    while (directory != NULL && (id = g_dir_read_name(directory)) != NULL) {
        g_autofree char *dir = g_build_filename(runtime, id, NULL);
        if (strcmp(dir, neighbours->dir) == 0 || !has_leg(dir, leg) || !is_kept(dir))
            continue;
        watch(neighbours, dir);
        g_autofree char *machine = g_build_filename(dir, "machine.conf", NULL);
        return berth_machine_read_name(machine, NULL);
    }
    return NULL;
}
