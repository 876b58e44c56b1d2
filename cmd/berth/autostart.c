/* SPDX-License-Identifier: MIT
 *
 * berth autostart — lets a distro start with its user's systemd.
 */
#include "commands.h"

#include "print.h"

#include <stdio.h>
#include <string.h>

static int show(Invocation *invocation, GError **error)
{
    bool on;
    if (!berth_is_autostarted(invocation->berth, invocation->subject, &on, error))
        return -1;
    printf("%s\n", on ? "on" : "off");
    return 0;
}

static bool read_switch(const char *word, bool *ret_on, GError **error)
{
    *ret_on = strcmp(word, "on") == 0;
    if (*ret_on || strcmp(word, "off") == 0)
        return true;
    g_autofree char *shown = g_strescape(word, NULL);
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", "usage: berth autostart NAME on|off",
                    "\"%.40s\" is neither on nor off", shown);
    return false;
}

static int run(Invocation *invocation, GError **error)
{
    bool on;
    g_autofree char *notice = NULL;
    invocation->subject = invocation->arguments[0];
    if (invocation->n_arguments == 1)
        return show(invocation, error);
    bool done = read_switch(invocation->arguments[1], &on, error) &&
                berth_autostart(invocation->berth, invocation->subject, on, &notice, error);
    print_notice(notice);
    return done ? 0 : -1;
}

const Command command_autostart = {
    .name = "autostart",
    .synopsis = "NAME [on|off]",
    .completes = "distro on|off",
    .summary = "Start a distro when you log in or when this host boots",
    .details = "\"on\" writes a unit for your own systemd,\n"
               "~/.config/systemd/user/berth-NAME.service. The unit starts the distro when you\n"
               "log in, and parks it when your session ends. To start the distro when this host\n"
               "boots instead, also run: loginctl enable-linger\n"
               "\n"
               "\"off\" removes the unit. \"berth rename\" and \"berth unregister\" keep it up to\n"
               "date. Without on or off, the command prints whether autostart is on. On a host\n"
               "without systemd it prints what to add to your crontab.",
    .min_arguments = 1,
    .max_arguments = 2,
    .run = run,
};
