/* SPDX-License-Identifier: MIT */
#include "host_route.h"

#include "base/fd.h"
#include "netlink/netlink.h"

#include <errno.h>
#include <glib-unix.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct BerthHostRoute {
    char *table;
    void (*on_change)(gpointer user_data);
    gpointer user_data;
    bool leads_out;
    int fd;
    GSource *source;
};

/* A line: destination, its bits, source, its bits, next hop, metric, two counts, flags, device; all
 * numbers in hexadecimal. Source: net/ipv6/route.c of Linux, rt6_route_seq_show. */
static bool is_default_route(const char *line)
{
    char destination[33], device[17];
    guint bits, flags;
    if (sscanf(line, "%32[0-9a-f] %x %*x %*x %*x %*x %*x %*x %x %16s", destination, &bits, &flags,
               device) != 4)
        return false;
    return bits == 0 && strspn(destination, "0") == 32 && (flags & RTF_UP) != 0 &&
           (flags & RTF_REJECT) == 0 && strcmp(device, "lo") != 0;
}

bool berth_host_route_parse(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line != NULL; line++)
        if (is_default_route(*line))
            return true;
    return false;
}

static bool read_table(const BerthHostRoute *route)
{
    g_autofree char *text = NULL;
    return g_file_get_contents(route->table, &text, NULL, NULL) && berth_host_route_parse(text);
}

static gboolean on_message(gint fd, GIOCondition condition, gpointer user_data)
{
    BerthHostRoute *route = user_data;
    netlink_drain(fd); /* any message, or a loss of some: read the table again */
    bool leads_out = read_table(route);
    if (leads_out != route->leads_out) {
        route->leads_out = leads_out;
        route->on_change(route->user_data);
    }
    return G_SOURCE_CONTINUE;
}

static int open_messages(void)
{
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV6_ROUTE};
    berth_autofd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -1;
    return berth_fd_steal(&fd);
}

BerthHostRoute *berth_host_route_new(const char *table, void (*on_change)(gpointer user_data),
                                     gpointer user_data)
{
    BerthHostRoute *route = g_new0(BerthHostRoute, 1);
    route->table = g_strdup(table);
    route->on_change = on_change;
    route->user_data = user_data;
    route->fd = open_messages();
    route->leads_out = read_table(route);
    if (route->fd < 0)
        return route;
    route->source = g_unix_fd_source_new(route->fd, G_IO_IN);
    g_source_set_callback(route->source, G_SOURCE_FUNC(on_message), route, NULL);
    g_source_attach(route->source, g_main_context_get_thread_default());
    return route;
}

void berth_host_route_free(BerthHostRoute *route)
{
    if (route == NULL)
        return;
    if (route->source != NULL) {
        g_source_destroy(route->source);
        g_source_unref(route->source);
    }
    berth_fd_close(&route->fd);
    g_free(route->table);
    g_free(route);
}

bool berth_host_route_has_default(const BerthHostRoute *route)
{
    return route->leads_out;
}
