/* SPDX-License-Identifier: MIT */
#include "perform.h"

#include "help.h"

#include <stdio.h>

extern char **environ;

/* Replace control codes, since names, paths and guest output are untrusted on a terminal. */
static void print_line(const char *before, const char *text)
{
    g_autofree char *line = g_strconcat(before, text, NULL);
    for (char *c = line; *c != '\0'; c++)
        if (g_ascii_iscntrl(*c))
            *c = '?';
    fprintf(stderr, "%s\n", line);
}

static void print_waiting(const char *line, gpointer unused)
{
    print_line("berth: ", line);
}

static void print_warning(const char *line, gpointer unused)
{
    print_line("berth: warning: ", line);
}

char *perform_describe(const Invocation *invocation, const GError *error)
{
    GString *where = g_string_new(NULL);
    if (invocation->command != NULL)
        g_string_append(where, invocation->command->name);
    if (invocation->subject != NULL)
        g_string_append_printf(where, " %s", invocation->subject);
    if (invocation->command != NULL)
        g_string_append(where, ": ");
    g_string_append(where, error->message);
    return g_string_free(where, FALSE);
}

/* The hint of @error, or the command's help for a usage error that has none; or NULL. */
static char *find_hint(const Invocation *invocation, const GError *error)
{
    const char *hint = berth_error_hint(error);
    if (hint == NULL && invocation->command != NULL &&
        g_str_has_prefix(berth_error_id(error), "usage."))
        return g_strdup_printf("\"berth %s --help\" shows its options and their values",
                               invocation->command->name);
    return g_strdup(hint);
}

void perform_print_error(const Invocation *invocation, const GError *error)
{
    g_autofree char *line = perform_describe(invocation, error);
    print_line("berth: ", line);
    print_line("code: ", berth_error_id(error));
    g_autofree char *hint = find_hint(invocation, error);
    if (hint != NULL)
        print_line("hint: ", hint);
}

int perform(int argc, char **argv, Invocation *invocation, GError **error)
{
    if (!command_read(argc, argv, invocation, error))
        return -1;
    if (invocation->help) {
        help_print_command(invocation->command);
        return 0;
    }
    if (invocation->command->without_handle)
        return invocation->command->run(invocation, error);
    invocation->berth = berth_new((const char *const *)environ, error);
    if (invocation->berth == NULL)
        return -1;
    berth_set_waiting(invocation->berth, print_waiting, NULL);
    berth_set_warning(invocation->berth, print_warning, NULL);
    return invocation->command->run(invocation, error);
}
