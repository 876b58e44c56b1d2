/* SPDX-License-Identifier: MIT */
#include "port_lists.h"

#include "reach.h"

#include "base/error.h"
#include "base/fd.h"
#include "instance/client/request.h"
#include "instance/client/runtime.h"
#include "instance/control/hello.h"

#include <errno.h>
#include <poll.h>

static gpointer ask_ports(gpointer data)
{
    BerthJob *job = data;
    berth_autofd int fd = berth_reach_connect(job->berth, job->distro, &job->error);
    if (fd < 0)
        return NULL;
    berth_reach_limit_waiting(fd, BERTH_REACH_ANSWER_SEC);
    job->result = berth_request_ports(fd, &job->error);
    berth_hello_name_distro(&job->error, job->distro->name);
    return NULL;
}

/* Find the distro @name; NULL: all that are running. */
static GPtrArray *find_distros(Berth *berth, const char *name, GError **error)
{
    const char *const names[] = {name, NULL};
    g_autoptr(GPtrArray) distros = berth_handle_find_all(berth, name != NULL ? names : NULL, error);
    if (distros == NULL || berth_handle_runtime(berth, error) == NULL)
        return NULL;
    return g_steal_pointer(&distros);
}

static void ports_free(gpointer data)
{
    BerthDistroPorts *ports = data;
    g_free(ports->distro);
    g_ptr_array_unref(ports->forwards);
    g_free(ports);
}

static GPtrArray *new_list(void)
{
    return g_ptr_array_new_with_free_func(ports_free);
}

/* Add the ports of @distro; references @forwards. */
static void add_ports(GPtrArray *list, const char *distro, GPtrArray *forwards)
{
    BerthDistroPorts *ports = g_new(BerthDistroPorts, 1);
    *ports = (BerthDistroPorts){g_strdup(distro), g_ptr_array_ref(forwards)};
    g_ptr_array_add(list, ports);
}

GPtrArray *berth_port_lists_read(Berth *berth, const char *name, GError **error)
{
    g_autoptr(GPtrArray) distros = find_distros(berth, name, error);
    if (distros == NULL)
        return NULL;

    g_autoptr(GPtrArray) asked =
        name != NULL ? g_ptr_array_ref(distros) : berth_reach_find_running(berth, distros);
    g_autoptr(GPtrArray) jobs = berth_handle_for_each(berth, asked, ask_ports, NULL);
    g_autoptr(GPtrArray) ports = new_list();
    for (guint i = 0; i < jobs->len; i++) {
        BerthJob *job = jobs->pdata[i];
        g_autoptr(GPtrArray) forwards = job->result;
        if (forwards != NULL)
            add_ports(ports, job->distro->name, forwards);
        if (job->error == NULL || name == NULL)
            continue;
        g_propagate_error(error, g_steal_pointer(&job->error));
        return NULL;
    }
    return g_steal_pointer(&ports);
}

/* --- watching --- */

/* One watched distro. */
typedef struct {
    const char *name;
    BerthChannel channel;
    GPtrArray *partial;  /* of a list being received */
    GPtrArray *forwards; /* the newest complete list; NULL before the first */
    bool ended;
} Watched;

static void watched_free(gpointer data)
{
    Watched *watched = data;
    berth_fd_close(&watched->channel.fd);
    berth_channel_clear(&watched->channel);
    g_clear_pointer(&watched->partial, g_ptr_array_unref);
    g_clear_pointer(&watched->forwards, g_ptr_array_unref);
    g_free(watched);
}

/* Watch @distro; NULL without @error if it is not running. */
static Watched *watch_distro(Berth *berth, const BerthDistro *distro, GError **error)
{
    int fd = berth_reach_connect(berth, distro, NULL);
    if (fd < 0)
        return NULL;
    Watched *watched = g_new0(Watched, 1);
    watched->name = distro->name;
    watched->channel.fd = fd;
    if (berth_request_watch(&watched->channel, error))
        return watched;
    watched_free(watched);
    return NULL;
}

static GPtrArray *watch_all(Berth *berth, const GPtrArray *distros, GError **error)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(watched_free);
    g_autoptr(GError) problem = NULL;
    for (guint i = 0; i < distros->len && problem == NULL; i++) {
        Watched *watched = watch_distro(berth, distros->pdata[i], &problem);
        if (watched != NULL)
            g_ptr_array_add(all, watched);
    }
    if (problem == NULL && all->len > 0)
        return g_steal_pointer(&all);
    if (problem != NULL)
        g_propagate_error(error, g_steal_pointer(&problem));
    else
        berth_error_set(error, BERTH_ERROR_NOT_RUNNING, "instance.not-running", NULL,
                        distros->len == 1 ? "is not running" : "no distro is running");
    return NULL;
}

static void end_watch(Watched *watched)
{
    watched->ended = true;
    g_clear_pointer(&watched->forwards, g_ptr_array_unref);
    watched->forwards = g_ptr_array_new();
}

/* Read the received lists. Returns whether there is a new list, or the end. */
static bool read_lists(Watched *watched, GError **error)
{
    bool news = false;
    GPtrArray *list;
    while ((list = berth_request_watched(&watched->channel, &watched->partial, &watched->ended,
                                         error)) != NULL) {
        g_clear_pointer(&watched->forwards, g_ptr_array_unref);
        watched->forwards = list;
        news = true;
    }
    if (watched->ended)
        end_watch(watched);
    return news || watched->ended;
}

/* Wait for a new list from any of @all. False with @error, or when all have ended. */
static bool wait_for_news(const GPtrArray *all, GError **error)
{
    for (bool news = false; !news;) {
        g_autofree struct pollfd *polls = g_new0(struct pollfd, all->len);
        bool any = false;
        for (guint i = 0; i < all->len; i++) {
            const Watched *watched = all->pdata[i];
            polls[i] = (struct pollfd){watched->ended ? -1 : watched->channel.fd, POLLIN, 0};
            any = any || !watched->ended;
        }
        if (!any || (poll(polls, all->len, -1) < 0 && errno != EINTR))
            return false;
        for (guint i = 0; i < all->len; i++) {
            Watched *watched = all->pdata[i];
            g_autoptr(GError) problem = NULL;
            if (polls[i].revents == 0)
                continue;
            if (berth_channel_fill(&watched->channel, &problem))
                news = read_lists(watched, &problem) || news;
            if (problem == NULL)
                continue;
            if (all->len > 1 && berth_hello_is_mismatch(problem)) {
                end_watch(watched);
                news = true;
                continue;
            }
            berth_hello_name_distro(&problem, watched->name);
            g_propagate_error(error, g_steal_pointer(&problem));
            return false;
        }
    }
    return true;
}

/* The ports of @all, or NULL until each has sent a list. */
static GPtrArray *watched_ports(const GPtrArray *all)
{
    g_autoptr(GPtrArray) ports = new_list();
    for (guint i = 0; i < all->len; i++) {
        const Watched *watched = all->pdata[i];
        if (watched->forwards == NULL)
            return NULL;
        add_ports(ports, watched->name, watched->forwards);
    }
    return g_steal_pointer(&ports);
}

bool berth_port_lists_follow(Berth *berth, const char *name, BerthPortsFunc func,
                             gpointer user_data, GError **error)
{
    g_autoptr(GPtrArray) distros = find_distros(berth, name, error);
    g_autoptr(GPtrArray) all = distros != NULL ? watch_all(berth, distros, error) : NULL;
    if (all == NULL)
        return false;
    g_autoptr(GError) problem = NULL;
    while (wait_for_news(all, &problem)) {
        g_autoptr(GPtrArray) ports = watched_ports(all);
        if (ports != NULL && !func(ports, user_data))
            return true;
    }
    if (problem == NULL)
        return true;
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}
