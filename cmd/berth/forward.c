/* SPDX-License-Identifier: MIT
 *
 * berth forward — lists and edits the forwards that the user defines, beside the automatic ones.
 */
#include "commands.h"

#include "action.h"
#include "json.h"
#include "print.h"

#include <string.h>

#define USAGE "usage: berth forward add|remove NAME [[ADDRESS:]PORT:]PORT[/udp], or list"

static const Option options[] = {
    {"json", 0, NULL, "With list: for programs, as JSON"},
    {NULL},
};

static void print_table(const GPtrArray *rules)
{
    static const char *const headings[] = {"DISTRO", "PROTOCOL", "HOST", "PORT", "RULE", NULL};
    g_autoptr(Table) table = table_new(headings);
    for (guint i = 0; i < rules->len; i++) {
        const BerthForwardRule *rule = rules->pdata[i];
        const char *address = rule->host_address != NULL ? rule->host_address : "localhost";
        bool v6 = strchr(address, ':') != NULL;
        table_add(table, rule->distro);
        table_add(table, rule->protocol);
        table_add_take(table, g_strdup_printf(v6 ? "[%s]:%u" : "%s:%u", address, rule->host_port));
        table_add_take(table, g_strdup_printf("%u", rule->guest_port));
        table_add(table, rule->rule);
    }
    table_print(table);
}

static void print_json(const GPtrArray *rules)
{
    Json *json = json_begin(false);
    json_begin_array(json, "forwards");
    for (guint i = 0; i < rules->len; i++) {
        const BerthForwardRule *rule = rules->pdata[i];
        json_begin_object(json, NULL);
        json_add_string(json, "distro", rule->distro);
        json_add_string(json, "rule", rule->rule);
        json_add_string(json, "protocol", rule->protocol);
        json_add_string(json, "host_address", rule->host_address);
        json_add_number(json, "host_port", rule->host_port);
        json_add_number(json, "guest_port", rule->guest_port);
        json_end(json);
    }
    json_end(json);
    json_print(json);
}

static int list(Invocation *invocation, GError **error)
{
    invocation->subject = invocation->arguments[1];
    g_autoptr(GPtrArray) rules = berth_forward_list(invocation->berth, invocation->subject, error);
    if (rules == NULL)
        return -1;
    if (invocation_flag(invocation, "json"))
        print_json(rules);
    else
        print_table(rules);
    return 0;
}

static int add(Invocation *invocation, GError **error)
{
    g_autofree char *notice = NULL;
    invocation->subject = invocation->arguments[1];
    if (!berth_forward_add(invocation->berth, invocation->subject, invocation->arguments[2],
                           &notice, error))
        return -1;
    print_notice(notice);
    return 0;
}

static int remove_rule(Invocation *invocation, GError **error)
{
    invocation->subject = invocation->arguments[1];
    return berth_forward_remove(invocation->berth, invocation->subject, invocation->arguments[2],
                                error)
               ? 0
               : -1;
}

static const Action actions[] = {
    {"add", 3, 3, "json", add},        {"remove", 3, 3, "json", remove_rule},
    {"rm", 3, 3, "json", remove_rule}, {"list", 1, 2, NULL, list},
    {"ls", 1, 2, NULL, list},          {NULL},
};

static int run(Invocation *invocation, GError **error)
{
    return action_run(actions, USAGE, invocation, error);
}

const Command command_forward = {
    .name = "forward",
    .synopsis = "add|remove|list [OPTION]... [NAME] [RULE]",
    .completes = "add|remove|list distro",
    .summary = "Forward more ports of this host to a distro",
    .details = "RULE is [HOSTADDRESS:][HOSTPORT:]GUESTPORT[/udp], or udp:PORT:\n"
               "  8080             localhost:8080 leads to the distro's port 8080\n"
               "  3000:80          localhost:3000 leads to its port 80\n"
               "  0.0.0.0:8080:80  port 8080 of every IPv4 address, for other machines too\n"
               "  [::1]:3000:80    port 3000 of this address only\n"
               "  udp:5353         UDP port 5353\n"
               "A rule takes effect at once and stays until you remove it, even while no program\n"
               "in the distro listens on the port. \"berth ports\" shows its state. You need no\n"
               "rule for a TCP port of localhost: berth forwards it as soon as a program in the\n"
               "distro listens on it.",
    .min_arguments = 1,
    .max_arguments = 3,
    .options = options,
    .run = run,
};
