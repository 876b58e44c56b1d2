/* SPDX-License-Identifier: MIT
 *
 * command — the table of commands, and reading a command line by it.
 *
 * Each command is a file of its own with one `const Command`; command.c lists them. Names, WSL's
 * spellings, help texts, the number of arguments and the options all come from the rows, so that
 * nothing is said twice.
 *
 * A command returns its exit status, or -1 with @error set; it never prints an error. Usage errors
 * have ids "usage.*".
 */
#pragma once

#include "berth.h"

typedef struct {
    const char *name;  /* without the hyphens */
    char letter;       /* or 0 */
    const char *value; /* what the help calls its value; NULL: it has none */
    const char *help;
} Option;

typedef struct Invocation Invocation;

typedef struct {
    const char *name;
    const char *spellings; /* other first words for it, separated by spaces, or NULL */
    const char *synopsis;  /* what follows the name */
    const char *summary;   /* one line, no full stop */
    const char *details;   /* further lines for its own help, or NULL */
    int min_arguments;
    int max_arguments;     /* -1: any number */
    bool strict;           /* options end at the first argument */
    int failure;           /* exit status of its errors; 0: 2 for usage, 1 for the rest */
    const Option *options; /* ends with a row without a name, or NULL */
    int (*run)(Invocation *invocation, GError **error);
} Command;

/* One command line, read. */
struct Invocation {
    const Command *command;
    Berth *berth;
    GPtrArray *given; /* (Option, value) pairs, in order */
    char **arguments; /* NULL-terminated, borrowed from argv */
    int n_arguments;
    const char *subject; /* what the command is about, for error messages; set by the command */
    bool unnamed;        /* WSL's way: the command was not named, only its options */
    bool exact;          /* -e or --exec came before the arguments */
    bool help;           /* --help was given: print the command's help instead */
};

void invocation_clear(Invocation *invocation);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Invocation, invocation_clear)

/* Read @argv. The command is set as soon as it is known, also on failure.
 * Errors: BERTH_ERROR_INVALID, "usage.command", "usage.option", "usage.value", "usage.arguments".
 */
bool command_read(int argc, char **argv, Invocation *invocation, GError **error);

/* The command with this name or spelling, or NULL. */
const Command *command_find(const char *word);

/* Set a usage error that names the closest command, if one is close. */
void command_set_unknown(GError **error, const char *word);

/* All commands in the order of the help, ending with NULL. */
extern const Command *const commands[];

bool invocation_flag(const Invocation *invocation, const char *option);

/* The value that was given last, or NULL. Borrowed. */
const char *invocation_value(const Invocation *invocation, const char *option);

/* The @index'th value of an option that may be repeated, or NULL. */
const char *invocation_nth_value(const Invocation *invocation, const char *option, guint index);

/* An option's value as a number from 0 to @max; @ret_value is left alone when it was not given.
 * Errors: "usage.value". */
bool invocation_number(const Invocation *invocation, const char *option, int max, int *ret_value,
                       GError **error);

/* The first argument, or NULL. */
const char *invocation_first(const Invocation *invocation);
