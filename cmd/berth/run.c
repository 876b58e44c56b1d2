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
#include "print.h"
#include "session_terminal.h"
#include "signals.h"
#include "work.h"

#include "words/nearest.h"

#include <string.h>

static const Option options[] = {
    {"distribution", 'd', "NAME", "Run in this distro instead of the default one"},
    {"distribution-id", 0, "ID", "The same, by its id (see berth list --json)", "-"},
    SESSION_OPTIONS,
    {"shell-type", 0, "TYPE", "Run the words by a shell: standard, login or none",
     "standard|login|none"},
    {"login", 0, NULL, "The same as --shell-type login"},
    {"no-stdin", 'n', NULL, "Give the command no input, as ssh -n does"},
    {"rm", 0, NULL, "Run in a clone of the distro and remove it"},
    {"host-access", 0, NULL, "With --rm: let the clone reach this host"},
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

/* --- in a throw-away clone --- */

typedef struct {
    Work work;
    bool copying; /* and so the progress is shown */
} Cloning;

static bool cloning_goes_on(guint64 bytes_done, guint64 bytes_total, gpointer user_data)
{
    Cloning *cloning = user_data;
    return cloning->copying ? work_goes_on(bytes_done, bytes_total, &cloning->work) : !stop_asked();
}

static BerthThrowaway *make_clone(Invocation *invocation, const char *template, Cloning *cloning,
                                  GError **error)
{
    invocation->subject = template;
    work_begin(&cloning->work, template != NULL ? template : "the default distro");
    cloning->copying = true;
    bool isolated = !invocation_flag(invocation, "host-access");
    BerthThrowaway *clone =
        berth_throwaway_new(invocation->berth, template, isolated, cloning_goes_on, cloning, error);
    cloning->copying = false;
    work_end(&cloning->work);
    return clone;
}

/* The next command removes what cannot be removed here: it does not change the command's status. */
static void remove_clone(BerthThrowaway *clone)
{
    g_autofree char *name = g_strdup(berth_throwaway_name(clone));
    g_autoptr(GError) problem = NULL;
    if (berth_throwaway_remove(clone, &problem))
        return;
    g_autofree char *notice =
        g_strdup_printf("%s could not be removed: %s", name, problem->message);
    print_notice(notice);
}

/* Run @command in a clone of its distro. Until the command begins, a signal ends the wait for it
 * (signals.h); then it goes to the command. */
static int run_in_clone(Invocation *invocation, const SessionCommand *command, GError **error)
{
    Cloning cloning;
    BerthThrowaway *clone = make_clone(invocation, command->distro, &cloning, error);
    if (clone == NULL)
        return -1;
    SessionCommand there = *command;
    there.distro = berth_throwaway_name(clone);
    there.template = g_intern_string(berth_throwaway_template(clone));
    there.isolated = !invocation_flag(invocation, "host-access");
    int status = session_run(invocation, &there, error);
    remove_clone(clone);
    return status;
}

static bool check_clone_options(const Invocation *invocation, GError **error)
{
    if (!invocation_flag(invocation, "host-access") || invocation_flag(invocation, "rm"))
        return true;
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.value",
                    "without --rm the distro reaches this host anyway, unless it was started with "
                    "--isolated",
                    "--host-access is for --rm");
    return false;
}

static int run(Invocation *invocation, GError **error)
{
    ShellType type;
    if (!check_clone_options(invocation, error))
        return -1;
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
    return invocation_flag(invocation, "rm") ? run_in_clone(invocation, &command, error)
                                             : session_run(invocation, &command, error);
}

const Command command_run = {
    .name = "run",
    .synopsis = "[OPTION]... [--] [COMMAND [ARGUMENT]...]",
    .summary = "Run a command in a distro and start the distro if needed",
    .details = "Without a command, the user's login shell is run. If you leave out \"run\" (berth\n"
               "-d NAME -- ls '*.c'), the words are a command line for the user's shell, except\n"
               "after -e. Each of the three streams is a terminal in the distro if it is a\n"
               "terminal here.\n"
               "\n"
               "The command gets TERM, the locale, TZ, the proxy variables, and the variables\n"
               "that BERTH_ENV names (in the format of WSLENV). The exit status is that of the\n"
               "command; 128+N if signal N ended it; 127 if the command was not found; 126 if it\n"
               "could not be executed; 125 if berth failed.\n"
               "\n"
               "berth reads input from a pipe ahead: input that the command does not read is\n"
               "lost. In a loop that reads the same pipe, use -n. Input from a file is not lost.\n"
               "\n"
               "With --rm, the command runs in a clone of the distro, and the clone is removed\n"
               "when the command or berth ends. If the distro is running, suspended or parked,\n"
               "the clone gets its memory and need not boot; use \"berth park NAME\" to prepare\n"
               "such a template. The clone has the settings of the distro, and cannot reach the\n"
               "files, ports or addresses of this host. Several clones may run at once.",
    .max_arguments = -1,
    .strict = true,
    .failure = SESSION_FAILURE,
    .options = options,
    .run = run,
};
