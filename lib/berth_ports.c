/* SPDX-License-Identifier: MIT
 *
 * The part of the facade that has to do with ports: what there is, what was asked for.
 */
#include "berth_private.h"

#include "base/fd.h"
#include "instance/client/runtime.h"
#include "instance/control/control.h"
#include "instance/control/hello.h"

#include <errno.h>
#include <poll.h>

void berth_port_free(BerthPort *port)
{
    if (port == NULL)
        return;
    g_free(port->distro);
    g_free(port->protocol);
    g_free(port->host);
    g_strfreev(port->addresses);
    g_free(port->origin);
    g_free(port->state);
    g_free(port->owner);
    g_free(port->reason);
    g_free(port);
}

static char **open_addresses(const BerthForward *forward)
{
    GPtrArray *list = g_ptr_array_new();
    for (guint i = 0; i < BERTH_LEGS; i++) {
        const BerthLeg *leg = &forward->legs[i];
        if (leg->state == BERTH_FORWARD_OPEN)
            g_ptr_array_add(list, berth_rule_address_text(leg->family, leg->host));
    }
    g_ptr_array_add(list, NULL);
    return (char **)g_ptr_array_free(list, FALSE);
}

/* Where it is on the host, if that is not the guest's port of localhost. */
static char *host_of(const BerthForward *forward)
{
    BerthRule rule = forward->rule;
    rule.host_port = forward->host_port;
    bool same = rule.family == 0 && rule.host_port == rule.guest_port;
    return same ? NULL : berth_rule_host(&rule);
}

static BerthPort *public_port(const char *distro, const BerthForward *forward)
{
    BerthPort *port = g_new0(BerthPort, 1);
    port->distro = g_strdup(distro);
    port->protocol = g_strdup(berth_protocol_word(forward->rule.protocol));
    port->port = forward->rule.guest_port;
    port->host_port = forward->host_port;
    port->origin = g_strdup(berth_origin_word(forward->origin));
    port->addresses = open_addresses(forward);
    port->host = host_of(forward);
    port->state = g_strdup(berth_forward_state_word(forward->state));
    port->owner = g_strdup(forward->owner);
    port->reason = g_strdup(forward->reason);
    return port;
}

static gpointer ask_ports(gpointer data)
{
    Job *job = data;
    berth_autofd int fd = berth_private_connect(job->berth, job->distro, &job->error);
    if (fd < 0)
        return NULL;
    berth_private_limit_waiting(fd, ANSWER_TIMEOUT_SEC);
    job->result = berth_control_ports(fd, &job->error);
    return NULL;
}

/* With @name that one, else those there are. */
static GPtrArray *find_distros(Berth *berth, const char *name, GError **error)
{
    const char *const names[] = {name, NULL};
    g_autoptr(GPtrArray) distros =
        berth_private_find_all(berth, name != NULL ? names : NULL, error);
    if (distros == NULL || berth_private_runtime(berth, error) == NULL)
        return NULL;
    return g_steal_pointer(&distros);
}

static GPtrArray *new_ports(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)berth_port_free);
}

static void add_ports(GPtrArray *ports, const char *distro, const GPtrArray *forwards)
{
    for (guint i = 0; forwards != NULL && i < forwards->len; i++)
        g_ptr_array_add(ports, public_port(distro, forwards->pdata[i]));
}

GPtrArray *berth_ports(Berth *berth, const char *name, GError **error)
{
    g_autoptr(GPtrArray) distros = find_distros(berth, name, error);
    if (distros == NULL)
        return NULL;

    g_autoptr(GPtrArray) jobs = berth_private_for_each(berth, distros, ask_ports, NULL, NULL);
    g_autoptr(GPtrArray) ports = new_ports();
    for (guint i = 0; i < jobs->len; i++) {
        Job *job = jobs->pdata[i];
        g_autoptr(GPtrArray) forwards = job->result;
        add_ports(ports, job->distro->name, forwards);
        if (job->error == NULL || name == NULL)
            continue;
        g_propagate_error(error, g_steal_pointer(&job->error));
        return NULL;
    }
    return g_steal_pointer(&ports);
}

/* --- as they change --- */

/* One distro that is watched. */
typedef struct {
    const char *name;
    BerthChannel channel;
    GPtrArray *partial;  /* of a list that is coming */
    GPtrArray *forwards; /* the newest list; NULL before the first */
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

/* NULL without @error when it does not run. */
static Watched *watch_distro(Berth *berth, const BerthDistro *distro, GError **error)
{
    int fd = berth_private_connect(berth, distro, NULL);
    if (fd < 0)
        return NULL;
    Watched *watched = g_new0(Watched, 1);
    watched->name = distro->name;
    watched->channel.fd = fd;
    if (berth_control_watch(&watched->channel, error))
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

/* Take what has come. Whether there is another list, or an end. */
static bool take_lists(Watched *watched, GError **error)
{
    bool news = false;
    GPtrArray *list;
    while ((list = berth_control_watched(&watched->channel, &watched->partial, &watched->ended,
                                         error)) != NULL) {
        g_clear_pointer(&watched->forwards, g_ptr_array_unref);
        watched->forwards = list;
        news = true;
    }
    if (watched->ended)
        end_watch(watched);
    return news || watched->ended;
}

/* Wait until there is something new of @all. False with @error, or when all have ended. */
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
                news = take_lists(watched, &problem) || news;
            if (problem == NULL)
                continue;
            if (all->len > 1 && berth_hello_is_mismatch(problem)) {
                end_watch(watched);
                news = true;
                continue;
            }
            g_propagate_error(error, g_steal_pointer(&problem));
            return false;
        }
    }
    return true;
}

/* All ports of @all, or NULL while a list is missing. */
static GPtrArray *watched_ports(const GPtrArray *all)
{
    g_autoptr(GPtrArray) ports = new_ports();
    for (guint i = 0; i < all->len; i++) {
        const Watched *watched = all->pdata[i];
        if (watched->forwards == NULL)
            return NULL;
        add_ports(ports, watched->name, watched->forwards);
    }
    return g_steal_pointer(&ports);
}

bool berth_ports_watch(Berth *berth, const char *name,
                       bool (*func)(const GPtrArray *ports, gpointer user_data), gpointer user_data,
                       GError **error)
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

/* --- those that were asked for --- */

void berth_forward_rule_free(BerthForwardRule *rule)
{
    if (rule == NULL)
        return;
    g_free(rule->distro);
    g_free(rule->rule);
    g_free(rule->protocol);
    g_free(rule->host_address);
    g_free(rule);
}

static BerthForwardRule *public_rule(const BerthDistro *distro, const BerthRule *rule)
{
    BerthForwardRule *made = g_new0(BerthForwardRule, 1);
    made->distro = g_strdup(distro->name);
    made->rule = berth_rule_format(rule);
    made->protocol = g_strdup(berth_protocol_word(rule->protocol));
    if (rule->family != 0)
        made->host_address = berth_rule_address_text(rule->family, rule->address);
    made->host_port = rule->host_port;
    made->guest_port = rule->guest_port;
    return made;
}

GPtrArray *berth_forward_list(Berth *berth, const char *name, GError **error)
{
    g_autoptr(GPtrArray) distros = find_distros(berth, name, error);
    if (distros == NULL)
        return NULL;
    g_autoptr(GPtrArray) list =
        g_ptr_array_new_with_free_func((GDestroyNotify)berth_forward_rule_free);
    for (guint i = 0; i < distros->len; i++) {
        const BerthDistro *distro = distros->pdata[i];
        g_autoptr(GArray) rules = berth_rule_parse_list(distro->forwards, error);
        if (rules == NULL)
            return NULL;
        for (guint j = 0; j < rules->len; j++)
            g_ptr_array_add(list, public_rule(distro, &g_array_index(rules, BerthRule, j)));
    }
    return g_steal_pointer(&list);
}

/* The keeper of @distro, if there is one, does as the registry says. */
static bool apply_rule(Berth *berth, const BerthDistro *distro, const BerthRule *rule, bool wanted,
                       GError **error)
{
    if (berth_private_runtime(berth, error) == NULL)
        return false;
    g_autoptr(GError) problem = NULL;
    berth_autofd int fd = berth_private_connect(berth, distro, &problem);
    if (fd >= 0)
        berth_private_limit_waiting(fd, ANSWER_TIMEOUT_SEC);
    if ((fd >= 0 && berth_control_set_rule(fd, rule, wanted, &problem)) ||
        berth_runtime_is_gone(problem))
        return true;
    g_propagate_prefixed_error(error, g_steal_pointer(&problem),
                               "noted, but not for the running distro: ");
    return false;
}

/* The forward of @rule in @forwards once it is decided about, or NULL. */
static const BerthForward *find_decided(const GPtrArray *forwards, const BerthRule *rule)
{
    for (guint i = 0; i < forwards->len; i++) {
        const BerthForward *forward = forwards->pdata[i];
        if (berth_rule_equal(&forward->rule, rule))
            return forward->state != BERTH_FORWARD_WANTED ? forward : NULL;
    }
    return NULL;
}

/* What is not as wanted about a forward of a running distro, when that is known; or NULL. */
static char *wait_for_reason(Berth *berth, const BerthDistro *distro, const BerthRule *rule)
{
    g_auto(BerthChannel) channel = {.fd = berth_private_connect(berth, distro, NULL)};
    berth_autofd int fd = channel.fd;
    g_autoptr(GPtrArray) partial = NULL;
    bool ended = false;
    if (fd < 0)
        return NULL;
    berth_private_limit_waiting(fd, ANSWER_TIMEOUT_SEC);
    if (!berth_control_watch(&channel, NULL))
        return NULL;
    while (!ended && berth_channel_fill(&channel, NULL)) {
        g_autoptr(GPtrArray) list = berth_control_watched(&channel, &partial, &ended, NULL);
        const BerthForward *forward = list != NULL ? find_decided(list, rule) : NULL;
        if (forward != NULL)
            return g_strdup(forward->reason);
    }
    return NULL;
}

bool berth_forward_add(Berth *berth, const char *name, const char *text, char **ret_notice,
                       GError **error)
{
    BerthRule rule;
    g_autoptr(BerthDistro) distro = berth_private_find(berth, name, error);
    if (distro == NULL || !berth_rule_parse(text, &rule, error) ||
        !berth_registry_add_forward(berth->registry, distro, &rule, error) ||
        !apply_rule(berth, distro, &rule, true, error))
        return false;
    *ret_notice = wait_for_reason(berth, distro, &rule);
    return true;
}

bool berth_forward_remove(Berth *berth, const char *name, const char *text, GError **error)
{
    BerthRule rule;
    g_autoptr(BerthDistro) distro = berth_private_find(berth, name, error);
    return distro != NULL && berth_rule_parse(text, &rule, error) &&
           berth_registry_remove_forward(berth->registry, distro, &rule, error) &&
           apply_rule(berth, distro, &rule, false, error);
}
