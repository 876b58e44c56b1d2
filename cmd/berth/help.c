/* SPDX-License-Identifier: MIT */
#include "help.h"

#include "commands.h"

#include <stdio.h>
#include <string.h>

static void print_overview(void)
{
    printf("Usage: berth [COMMAND] [OPTION]... [ARGUMENT]...\n"
           "\n"
           "berth runs Linux distros, each in a small virtual machine of its own. Without a\n"
           "command, it opens a shell in the default distro.\n"
           "\n"
           "Commands:\n");
    int width = 0;
    for (gsize i = 0; commands[i] != NULL; i++)
        width = MAX(width, (int)strlen(commands[i]->name));
    for (gsize i = 0; commands[i] != NULL; i++)
        if (!commands[i]->hidden)
            printf("  %-*s  %s\n", width, commands[i]->name, commands[i]->summary);
    printf("\n"
           "\"berth help COMMAND\" or \"berth COMMAND --help\" shows more. berth accepts the\n"
           "spellings of wsl.exe, too: berth --import, -l -v, -d NAME -u USER -- COMMAND,\n"
           "--terminate NAME, --shutdown.\n");
}

static int option_width(const Option *option)
{
    return (int)strlen(option->name) + (option->value != NULL ? 1 + (int)strlen(option->value) : 0);
}

static void print_option(const Option *option, int width)
{
    if (option->letter != '\0')
        printf("  -%c, ", option->letter);
    else
        printf("      ");
    bool value = option->value != NULL;
    printf("--%s%s%s%*s  %s\n", option->name, value ? " " : "", value ? option->value : "",
           width - option_width(option), "", option->help);
}

static void print_options(const Command *command)
{
    int width = option_width(&command_help_option);
    for (const Option *o = command->options; o != NULL && o->name != NULL; o++)
        width = MAX(width, option_width(o));

    printf("\nOptions:\n");
    for (const Option *o = command->options; o != NULL && o->name != NULL; o++)
        print_option(o, width);
    print_option(&command_help_option, width);
}

void help_print_command(const Command *command)
{
    printf("Usage: berth %s%s%s\n\n%s.\n", command->name, command->synopsis[0] != '\0' ? " " : "",
           command->synopsis, command->summary);
    if (command->details != NULL)
        printf("\n%s\n", command->details);
    print_options(command);
    if (command->spellings != NULL)
        printf("\nAlso: %s\n", command->spellings);
}

static int run(Invocation *invocation, GError **error)
{
    const char *word = invocation_first(invocation);
    const Command *command = word != NULL ? command_find(word) : NULL;
    if (word != NULL && command == NULL) {
        command_set_unknown(error, word);
        return -1;
    }
    if (command != NULL)
        help_print_command(command);
    else
        print_overview();
    return 0;
}

const Command command_help = {
    .name = "help",
    .spellings = "--help -h",
    .synopsis = "[COMMAND]",
    .completes = "verb",
    .summary = "Show help, in general or about a command",
    .max_arguments = 1,
    .run = run,
};
