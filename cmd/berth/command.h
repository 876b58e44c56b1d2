/* SPDX-License-Identifier: MIT
 *
 * command — the table of commands, and parsing a command line by it.
 *
 * Each command is a file of its own with one `const Command`; command.c lists them. Names, WSL's
 * spellings, help texts, argument counts and options all come from these rows.
 *
 * A command returns its exit status, or -1 with @error set; it never prints an error. Usage errors
 * have ids "usage.*".
 */
#pragma once

#include "berth.h"

typedef struct {
    const char *name;  /* without the hyphens */
    char letter;       /* or 0 */
    const char *value; /* the value's name in the help; NULL: a flag */
    const char *help;
    const char *completes; /* the value: as Command.completes, or NULL: by the value's name */
} Option;

typedef struct Invocation Invocation;

typedef struct {
    const char *name;
    const char *spellings; /* other spellings of the first word, separated by spaces, or NULL */
    const char *synopsis;  /* arguments, as the help shows them */
    const char *summary;   /* one line, no full stop */
    const char *details;   /* more lines for the command's own help, or NULL */
    const char *completes; /* the arguments in a shell's completion (complete.c), or NULL */
    int min_arguments;
    int max_arguments;     /* -1: no limit */
    bool hidden;           /* for programs: the overview of commands leaves it out */
    bool strict;           /* options end at the first argument */
    bool without_handle;   /* runs with `berth` NULL, so also where no handle can be made */
    int failure;           /* exit status on errors; 0: 2 for usage errors, 1 for others */
    const Option *options; /* terminated by a row without a name; or NULL */
    int (*run)(Invocation *invocation, GError **error);
} Command;

/* A parsed command line. */
struct Invocation {
    const Command *command;
    Berth *berth;
    GPtrArray *given; /* (Option, value) pairs, in the order of the command line */
    char **arguments; /* NULL-terminated, borrowed from argv */
    int n_arguments;
    const char *subject; /* what the command works on, for error messages; set by the command */
    bool unnamed;        /* WSL's syntax: options without a command */
    bool home;           /* WSL's "~": begin in the user's home */
    const char *id;      /* WSL's "{ID}" as the first word: the distro; or NULL */
    bool exact;          /* -e or --exec preceded the arguments */
    bool help;           /* --help: print the command's help instead */
};

void invocation_clear(Invocation *invocation);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Invocation, invocation_clear)

/* Parse @argv. On failure, too, the command is set if it could be determined. Errors:
 * BERTH_ERROR_INVALID, "usage.command", "usage.option", "usage.value", "usage.arguments". */
bool command_read(int argc, char **argv, Invocation *invocation, GError **error);

/* Find the command that @argv names. *ret_used: the words that named it, the program's included;
 * *ret_unnamed: @argv gives only options, as WSL allows. NULL: there is no such command. */
const Command *command_choose(int argc, char **argv, int *ret_used, bool *ret_unnamed);

/* Find an option of @command, or --help: by the first @length bytes of @name, or by its letter. */
const Option *command_find_long(const Command *command, const char *name, gsize length);
const Option *command_find_letter(const Command *command, char letter);

/* Whether @word ends the options of @command. */
bool command_ends_options(const Command *command, const char *word);

/* Find the command with this name or spelling, or NULL. */
const Command *command_find(const char *word);

/* Set a usage error that suggests the closest command, if one is similar. */
void command_set_unknown(GError **error, const char *word);

/* All commands in the order of the help, NULL-terminated. */
extern const Command *const commands[];

/* --help and -h, which every command has. */
extern const Option command_help_option;

bool invocation_flag(const Invocation *invocation, const char *option);

/* The last value of @option, or NULL. Borrowed. */
const char *invocation_value(const Invocation *invocation, const char *option);

/* The @index'th value of a repeatable option, or NULL. */
const char *invocation_nth_value(const Invocation *invocation, const char *option, guint index);

/* Parse an option's value as a number from 0 to @max. *ret_value is unchanged if the option is
 * absent. Errors: "usage.value". */
bool invocation_number(const Invocation *invocation, const char *option, int max, int *ret_value,
                       GError **error);

/* The first argument, or NULL. */
const char *invocation_first(const Invocation *invocation);
