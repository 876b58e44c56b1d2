/* SPDX-License-Identifier: MIT */
#include "command.h"

#include "commands.h"
#include "words/nearest.h"

#include <string.h>

/* The help lists them in this order. */
const Command *const commands[] = {
    &command_shell,
    &command_run,
    &command_cp,
    &command_mount,
    &command_umount,
    &command_install,
    &command_up,
    &command_templates,
    &command_import,
    &command_import_in_place,
    &command_export,
    &command_list,
    &command_start,
    &command_autostart,
    &command_console,
    &command_suspend,
    &command_park,
    &command_keep,
    &command_terminate,
    &command_shutdown,
    &command_unregister,
    &command_snapshot,
    &command_snapshots,
    &command_undo,
    &command_diff,
    &command_restore,
    &command_clone,
    &command_rename,
    &command_move,
    &command_resize,
    &command_set,
    &command_compact,
    &command_cache,
    &command_set_default,
    &command_status,
    &command_top,
    &command_path,
    &command_ports,
    &command_forward,
    &command_host,
    &command_share,
    &command_changes,
    &command_accept,
    &command_discard,
    &command_docker_env,
    &command_ssh_config,
    &command_ssh_proxy,
    &command_mcp,
    &command_file,
    &command_code,
    &command_logs,
    &command_doctor,
    &command_report,
    &command_config,
    &command_manage,
    &command_version,
    &command_help,
    &command_complete,
    &command_mount_disk,
    &command_unmount_disk,
    &command_update,
    &command_uninstall,
    NULL,
};

const Option command_help_option = {"help", 'h', NULL, "Show this help"};

typedef struct {
    const Option *option;
    const char *value; /* borrowed from argv; NULL for a flag */
} GivenOption;

void invocation_clear(Invocation *invocation)
{
    g_clear_pointer(&invocation->given, g_ptr_array_unref);
    g_clear_pointer(&invocation->arguments, g_free);
    g_clear_pointer(&invocation->berth, berth_free);
}

/* --- choosing the command --- */

static bool is_spelling(const Command *command, const char *word)
{
    if (strcmp(command->name, word) == 0)
        return true;
    g_auto(GStrv) spellings =
        g_strsplit(command->spellings != NULL ? command->spellings : "", " ", -1);
    return g_strv_contains((const char *const *)spellings, word);
}

const Command *command_find(const char *word)
{
    for (gsize i = 0; commands[i] != NULL; i++)
        if (is_spelling(commands[i], word))
            return commands[i];
    return NULL;
}

static const char *nearest_command(const char *word)
{
    Nearest nearest = {.word = word};
    for (gsize i = 0; commands[i] != NULL; i++)
        if (!commands[i]->hidden)
            nearest_offer(&nearest, commands[i]->name);
    return nearest.closest;
}

void command_set_unknown(GError **error, const char *word)
{
    const char *meant = nearest_command(word);
    g_autofree char *hint = meant != NULL ? g_strdup_printf("did you mean \"berth %s\"?", meant)
                                          : g_strdup("\"berth help\" lists the commands");
    g_autofree char *shown = g_strescape(word, NULL);
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.command", hint,
                    "there is no command \"%.80s\"", shown);
}

/* WSL: "{ID}" chooses the distro. */
static bool is_distro_id(const char *word)
{
    return word[0] == '{' && g_str_has_suffix(word, "}");
}

const Command *command_choose(int argc, char **argv, int *ret_used, bool *ret_unnamed)
{
    *ret_used = MIN(argc, 2);
    *ret_unnamed = false;
    if (argc < 2)
        return &command_shell;
    const Command *command = command_find(argv[1]);
    if (command != NULL)
        return command;
    *ret_unnamed = true;
    if (strcmp(argv[1], "~") == 0 || is_distro_id(argv[1])) /* WSL: run in the home directory */
        return &command_run;
    if (argv[1][0] != '-' || argv[1][1] == '\0')
        return NULL;
    *ret_used = 1; /* the word is an option: berth -d debian -- ls */
    return &command_run;
}

/* --- options and arguments --- */

const Option *command_find_long(const Command *command, const char *name, gsize length)
{
    for (const Option *o = command->options; o != NULL && o->name != NULL; o++)
        if (strlen(o->name) == length && strncmp(o->name, name, length) == 0)
            return o;
    bool help = length == strlen(command_help_option.name) &&
                strncmp(command_help_option.name, name, length) == 0;
    return help ? &command_help_option : NULL;
}

const Option *command_find_letter(const Command *command, char letter)
{
    for (const Option *o = command->options; o != NULL && o->name != NULL; o++)
        if (o->letter == letter)
            return o;
    return letter == command_help_option.letter ? &command_help_option : NULL;
}

static void record_option(Invocation *invocation, const Option *option, const char *value)
{
    if (option == &command_help_option)
        invocation->help = true;
    GivenOption *given = g_new(GivenOption, 1);
    *given = (GivenOption){option, value};
    g_ptr_array_add(invocation->given, given);
}

/* The long option that @name, which may be of another kind, probably means; or NULL. */
static const char *nearest_option(const Command *command, const char *name)
{
    if (!g_str_has_prefix(name, "--"))
        return NULL;
    Nearest nearest = {.word = name + 2};
    for (const Option *o = command->options; o != NULL && o->name != NULL; o++)
        nearest_offer(&nearest, o->name);
    return nearest.closest;
}

/* The only command with the long option @name, which includes its hyphens; or NULL. */
static const Command *only_owner(const char *name)
{
    const Command *owner = NULL;
    for (gsize i = 0; commands[i] != NULL && g_str_has_prefix(name, "--"); i++) {
        if (command_find_long(commands[i], name + 2, strlen(name + 2)) == NULL)
            continue;
        if (owner != NULL)
            return NULL;
        owner = commands[i];
    }
    return owner;
}

/* The hint for the option @name, which @invocation's command does not have. In WSL's syntax it
 * may be another command's, whose name is missing: "berth --set-default-user NAME USER". */
static char *hint_at_option(const Invocation *invocation, const char *name)
{
    const Command *owner = invocation->unnamed ? only_owner(name) : NULL;
    if (owner != NULL)
        return g_strdup_printf("it is an option of %s: \"berth %s --help\" shows how",
                               owner->spellings != NULL ? owner->spellings : owner->name,
                               owner->name);
    const char *meant = nearest_option(invocation->command, name);
    return meant != NULL ? g_strdup_printf("did you mean --%s?", meant)
                         : g_strdup_printf("\"berth %s --help\" lists its options",
                                           invocation->command->name);
}

static bool set_unknown_option(GError **error, const Invocation *invocation, const char *word)
{
    g_autofree char *name = g_strndup(word, strcspn(word, "="));
    g_autofree char *hint = hint_at_option(invocation, name);
    g_autofree char *shown = g_strescape(word, NULL);
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.option", hint, "unknown option %.80s",
                    shown);
    return false;
}

/* Read the value of @option from @attached, or else from the next of @words, which is advanced. */
static bool read_value(Invocation *invocation, const Option *option, const char *attached,
                       char ***words, GError **error)
{
    const char *value = attached;
    if (value == NULL && **words != NULL)
        value = *(*words)++;
    if (value != NULL) {
        record_option(invocation, option, value);
        return true;
    }
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", NULL, "--%s needs a value: %s",
                    option->name, option->value);
    return false;
}

static bool read_long(Invocation *invocation, const char *word, char ***words, GError **error)
{
    const char *name = word + 2;
    const char *equals = strchr(name, '=');
    gsize length = equals != NULL ? (gsize)(equals - name) : strlen(name);
    const Option *option = command_find_long(invocation->command, name, length);
    if (option == NULL)
        return set_unknown_option(error, invocation, word);
    if (option->value != NULL)
        return read_value(invocation, option, equals != NULL ? equals + 1 : NULL, words, error);
    if (equals == NULL) {
        record_option(invocation, option, NULL);
        return true;
    }
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", NULL, "--%s takes no value",
                    option->name);
    return false;
}

/* Parse a word of short options: "-qv", "-u root" or "-uroot". */
static bool read_letters(Invocation *invocation, const char *word, char ***words, GError **error)
{
    for (const char *letter = word + 1; *letter != '\0'; letter++) {
        const Option *option = command_find_letter(invocation->command, *letter);
        if (option == NULL)
            return set_unknown_option(error, invocation, word);
        if (option->value != NULL)
            return read_value(invocation, option, letter[1] != '\0' ? letter + 1 : NULL, words,
                              error);
        record_option(invocation, option, NULL);
    }
    return true;
}

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1] != '\0';
}

/* WSL ends its own options with --exec and -e, too. */
bool command_ends_options(const Command *command, const char *word)
{
    return strcmp(word, "--") == 0 ||
           (command->strict && (strcmp(word, "--exec") == 0 || strcmp(word, "-e") == 0));
}

static bool read_words(Invocation *invocation, char **words, GError **error)
{
    GPtrArray *arguments = g_ptr_array_new();
    bool ok = true;
    bool options = true;
    while (ok && *words != NULL) {
        char *word = *words++;
        if (options && command_ends_options(invocation->command, word)) {
            options = false;
            invocation->exact = strcmp(word, "--") != 0;
        } else if (options && is_option(word)) {
            ok = word[1] == '-' ? read_long(invocation, word, &words, error)
                                : read_letters(invocation, word, &words, error);
        } else {
            g_ptr_array_add(arguments, word);
            options = options && !invocation->command->strict;
        }
    }
    invocation->n_arguments = (int)arguments->len;
    g_ptr_array_add(arguments, NULL);
    invocation->arguments = (char **)g_ptr_array_free(arguments, FALSE);
    return ok;
}

static bool check_count(const Invocation *invocation, GError **error)
{
    const Command *command = invocation->command;
    const char *problem = NULL;
    if (invocation->n_arguments < command->min_arguments)
        problem = "an argument is missing";
    else if (command->max_arguments >= 0 && invocation->n_arguments > command->max_arguments)
        problem = "too many arguments";
    if (problem == NULL)
        return true;

    g_autofree char *hint =
        g_strdup_printf("usage: berth %s%s%s", command->name,
                        command->synopsis[0] != '\0' ? " " : "", command->synopsis);
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.arguments", hint, "%s", problem);
    return false;
}

/* WSL rejects a second -d, too: the last one would be a surprise. */
static bool check_distribution(const Invocation *invocation, GError **error)
{
    if (invocation_nth_value(invocation, "distribution", 1) == NULL)
        return true;
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", NULL,
                    "--distribution is given more than once");
    return false;
}

bool command_read(int argc, char **argv, Invocation *invocation, GError **error)
{
    int used = 0;
    invocation->given = g_ptr_array_new_with_free_func(g_free);
    invocation->home = argc > 1 && strcmp(argv[1], "~") == 0;
    invocation->id = argc > 1 && is_distro_id(argv[1]) ? argv[1] : NULL;
    invocation->command = command_choose(argc, argv, &used, &invocation->unnamed);
    if (invocation->command == NULL) {
        command_set_unknown(error, argv[1]);
        return false;
    }
    if (!read_words(invocation, argv + used, error))
        return false;
    return invocation->help ||
           (check_distribution(invocation, error) && check_count(invocation, error));
}

/* --- access to the parsed command line --- */

const char *invocation_nth_value(const Invocation *invocation, const char *option, guint index)
{
    for (guint i = 0; i < invocation->given->len; i++) {
        const GivenOption *given = invocation->given->pdata[i];
        if (strcmp(given->option->name, option) == 0 && index-- == 0)
            return given->value;
    }
    return NULL;
}

bool invocation_flag(const Invocation *invocation, const char *option)
{
    for (guint i = 0; i < invocation->given->len; i++)
        if (strcmp(((const GivenOption *)invocation->given->pdata[i])->option->name, option) == 0)
            return true;
    return false;
}

const char *invocation_value(const Invocation *invocation, const char *option)
{
    const char *last = NULL;
    const char *value;
    for (guint i = 0; (value = invocation_nth_value(invocation, option, i)) != NULL; i++)
        last = value;
    return last;
}

bool invocation_number(const Invocation *invocation, const char *option, int max, int *ret_value,
                       GError **error)
{
    const char *text = invocation_value(invocation, option);
    guint64 value;
    if (text == NULL)
        return true;
    if (g_ascii_string_to_unsigned(text, 10, 0, (guint64)max, &value, NULL)) {
        *ret_value = (int)value;
        return true;
    }
    g_autofree char *shown = g_strescape(text, NULL);
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", NULL,
                    "--%s: \"%.80s\" is not a number from 0 to %d", option, shown, max);
    return false;
}

const char *invocation_first(const Invocation *invocation)
{
    return invocation->arguments[0];
}
