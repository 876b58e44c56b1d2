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
    .summary = "Start a distro when you log in, or with this host",
    .details =
        "\"on\" writes a unit for your own systemd, ~/.config/systemd/user/berth-NAME.service,\n"
        "which starts the distro when you log in, and stops it after you log out. For both to\n"
        "happen with the host instead: loginctl enable-linger. \"off\" removes the unit; it\n"
        "follows the distro's name and goes with the distro. Without a word the command says\n"
        "whether it is on. On a host without systemd it says what to do instead.",
    .min_arguments = 1,
    .max_arguments = 2,
    .run = run,
};
