/* SPDX-License-Identifier: MIT
 *
 * berth run — runs a command in a distro. The guest gets its words unchanged; no shell parses them
 * unless asked for. Standard streams and the exit status are passed through.
 *
 * Without the word "run" the command line is WSL's, and has WSL's meaning: the words are one line
 * for the user's shell, except after -e or --exec.
 */
#include "commands.h"
#include "line.h"
#include "session_terminal.h"
#include "words/nearest.h"

#include <string.h>

static const Option options[] = {
    {"distribution", 'd', "NAME", "Run in this distro instead of the default one"},
    {"distribution-id", 0, "ID", "The same, by the id that berth list --json shows", "-"},
    SESSION_OPTIONS,
    {"shell-type", 0, "TYPE", "Pass the words to the user's shell: standard, login or none",
     "standard|login|none"},
    {"login", 0, NULL, "The same as --shell-type login"},
    {"no-stdin", 'n', NULL, "Give the command no input, as ssh -n does"},
    {"tty", 0, NULL, "Give the command a terminal, even if berth has none"},
    {"no-tty", 0, NULL, "Give the command no terminal, even if berth has one"},
    {NULL},
};

typedef enum { SHELL_NONE, SHELL_STANDARD, SHELL_LOGIN } ShellType;

static const char *const shell_types[] = {"none", "standard", "login"};

static bool read_shell_type(const Invocation *invocation, ShellType *ret_type, GError **error)
{
    const char *text = invocation_value(invocation, "shell-type");
    bool shell = invocation->unnamed && invocation->n_arguments > 0;
    *ret_type = shell ? SHELL_STANDARD : SHELL_NONE;
    if (invocation_flag(invocation, "login"))
        *ret_type = SHELL_LOGIN;
    if (invocation->exact)
        *ret_type = SHELL_NONE;
    if (text == NULL || invocation->exact)
        return true;
    for (gsize i = 0; i < G_N_ELEMENTS(shell_types); i++) {
        if (strcmp(text, shell_types[i]) != 0)
            continue;
        *ret_type = (ShellType)i;
        return true;
    }
    Nearest nearest = {.word = text};
    for (gsize i = 0; i < G_N_ELEMENTS(shell_types); i++)
        nearest_offer(&nearest, shell_types[i]);
    g_autofree char *hint = nearest.closest != NULL
                                ? g_strdup_printf("did you mean %s?", nearest.closest)
                                : g_strdup("give one of standard, login and none");
    g_autofree char *shown = g_strescape(text, NULL);
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", hint,
                    "--shell-type: unknown type \"%.80s\"", shown);
    return false;
}

static TerminalMode read_terminal_mode(const Invocation *invocation)
{
    if (invocation_flag(invocation, "no-tty"))
        return TERMINAL_NEVER;
    return invocation_flag(invocation, "tty") ? TERMINAL_ALWAYS : TERMINAL_LIKE_OURS;
}

static bool check_words(const Invocation *invocation, GError **error)
{
    const char *type = invocation_value(invocation, "shell-type");
    bool exact = invocation->exact || (type != NULL && strcmp(type, "none") == 0);
    if (!exact || invocation->n_arguments > 0)
        return true;
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.arguments",
                    "without a command it is the user's shell", "a command is missing");
    return false;
}

/* The distro that the options name; NULL: the default one, or an error. Interned, since messages
 * name it after the command has returned. */
static const char *find_distro(const Invocation *invocation, GError **error)
{
    const char *name = invocation_value(invocation, "distribution");
    const char *option = invocation_value(invocation, "distribution-id");
    const char *id = option != NULL ? option : invocation->id;
    if (id == NULL)
        return name;
    if (name == NULL && (option == NULL || invocation->id == NULL)) {
        g_autofree char *found = berth_resolve_id(invocation->berth, id, error);
        return g_intern_string(found);
    }
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", NULL, "%s",
                    invocation->id != NULL
                        ? "{ID} and --distribution or --distribution-id cannot be used together"
                        : "--distribution and --distribution-id cannot be used together");
    return NULL;
}

static int run(Invocation *invocation, GError **error)
{
    ShellType type;
    if (!read_shell_type(invocation, &type, error) || !check_words(invocation, error))
        return -1;

    g_autoptr(GError) problem = NULL;
    const char *distro = find_distro(invocation, &problem);
    if (problem != NULL) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return -1;
    }
    bool words = invocation->n_arguments > 0;
    bool shell = words && type != SHELL_NONE;
    g_autofree char *line = shell ? line_from_words(invocation->arguments) : NULL;
    const char *const line_only[] = {line, NULL};
    const SessionCommand command = {
        .distro = distro,
        .argv = shell ? line_only : (const char *const *)invocation->arguments,
        .login = type == SHELL_LOGIN || (!words && type == SHELL_NONE),
        .shell = shell,
        .terminal = read_terminal_mode(invocation),
        .no_input = invocation_flag(invocation, "no-stdin"),
    };
    return session_run(invocation, &command, error);
}

const Command command_run = {
    .name = "run",
    .synopsis = "[OPTION]... [--] [COMMAND [ARGUMENT]...]",
    .summary = "Run a command in a distro, starting it when needed",
    .details =
        "Each of the command's streams is a terminal where berth's is one. Without a command it "
        "is\n"
        "the user's login shell. Without \"run\" (berth -d NAME -- ls '*.c') the words are a line\n"
        "for the user's shell, except after -e. Variables: TERM, the locale, TZ, proxies, and\n"
        "those BERTH_ENV names, as WSLENV does for WSL. The exit status is the command's own;\n"
        "128+N when signal N ended it, 127 when it was not found, 126 when it could not be\n"
        "executed, 125 when berth failed. Input from a pipe is read ahead, and what the command\n"
        "does not take is lost: in a loop that reads the same pipe, use -n. A file loses nothing.",
    .max_arguments = -1,
    .strict = true,
    .failure = SESSION_FAILURE,
    .options = options,
    .run = run,
};
