/* SPDX-License-Identifier: MIT
 *
 * berth __complete — prints the candidates for the last of its words, for the completion scripts of
 * bash, zsh and fish (completions/): "CANDIDATE TAB DESCRIPTION" a line, or ":files" or
 * ":directories", which the shell itself completes.
 *
 * Command.completes has a word for each argument, "..." after the last one if it repeats: distro,
 * verb, file, dir, path (file or NAME:PATH), setting (the key after "get", a file after "check"),
 * value (of the setting before it), key (a setting of a distro), assignment (key=value), template,
 * snapshot (of the distro before it), alternatives "ls|prune", or "-" for nothing.
 */
#include "commands.h"

#include "berth_snapshot.h"

#include <stdio.h>
#include <string.h>

/* Where in a command line the cursor is. */
typedef struct {
    Berth *berth;
    const Command *command;
    const Option *pending; /* the option whose value the current word is, or NULL */
    guint position;        /* the number of arguments before the cursor */
    const char *first;     /* of them, or NULL */
    const char *before;    /* the last of them, or NULL */
    bool ended;            /* no options any more */
    const char *prefix;    /* of each candidate: "" or "--NAME=" */
    const char *current;   /* the word to be completed, after the prefix */
} Place;

static void offer(const Place *place, const char *word, const char *description)
{
    if (g_ascii_strncasecmp(word, place->current, strlen(place->current)) == 0)
        printf("%s%s\t%s\n", place->prefix, word, description);
}

static void offer_distros(const Place *place, const char *suffix)
{
    g_auto(GStrv) names = berth_distro_names(place->berth, NULL);
    for (gsize i = 0; names != NULL && names[i] != NULL; i++) {
        g_autofree char *word = g_strconcat(names[i], suffix, NULL);
        offer(place, word, "distro");
    }
}

static void offer_verbs(const Place *place)
{
    for (gsize i = 0; commands[i] != NULL; i++)
        if (!commands[i]->hidden)
            offer(place, commands[i]->name, commands[i]->summary);
}

/* WSL's spellings of the commands, "--list". */
static void offer_spellings(const Place *place)
{
    for (gsize i = 0; commands[i] != NULL; i++) {
        const char *text = commands[i]->spellings != NULL ? commands[i]->spellings : "";
        g_auto(GStrv) spellings = g_strsplit(text, " ", -1);
        for (gsize k = 0; spellings[k] != NULL; k++)
            if (g_str_has_prefix(spellings[k], "--"))
                offer(place, spellings[k], commands[i]->summary);
    }
}

static void offer_alternatives(const Place *place, const char *kind)
{
    g_auto(GStrv) words = g_strsplit(kind, "|", -1);
    for (gsize i = 0; words[i] != NULL; i++)
        offer(place, words[i], "");
}

static void offer_settings(const Place *place)
{
    static const char *const with_key[] = {"get", "set", "unset", NULL};
    if (g_strcmp0(place->before, "check") == 0)
        printf(":files\n");
    if (place->before == NULL || !g_strv_contains(with_key, place->before))
        return;
    g_autoptr(GPtrArray) settings = berth_settings_known();
    for (guint i = 0; i < settings->len; i++) {
        const BerthSetting *setting = settings->pdata[i];
        offer(place, setting->name, setting->help);
    }
}

static void offer_setting_values(const Place *place)
{
    g_autoptr(GPtrArray) settings = berth_settings_known();
    for (guint i = 0; i < settings->len; i++) {
        const BerthSetting *setting = settings->pdata[i];
        if (g_strcmp0(setting->name, place->before) != 0)
            continue;
        for (gsize k = 0; setting->words != NULL && setting->words[k] != NULL; k++)
            offer(place, setting->words[k], "");
        if (setting->words == NULL && setting->initial[0] != '\0')
            offer(place, setting->initial, "the default");
    }
}

/* Settings of a distro, as keys followed by @suffix. */
static void offer_keys(const Place *place, const char *suffix)
{
    g_autoptr(GPtrArray) settings = berth_settings_known();
    for (guint i = 0; i < settings->len; i++) {
        const BerthSetting *setting = settings->pdata[i];
        g_autofree char *word = g_strconcat(setting->name, suffix, NULL);
        if (!setting->global && !setting->new_only)
            offer(place, word, setting->help);
    }
}

static bool is_setting(const char *word)
{
    g_autoptr(GPtrArray) settings = berth_settings_known();
    for (guint i = 0; word != NULL && i < settings->len; i++)
        if (g_str_equal(((const BerthSetting *)settings->pdata[i])->name, word))
            return true;
    return false;
}

/* KEY=VALUE, which bash makes two words: drop_equals. */
static void offer_assignments(const Place *place)
{
    const char *equals = strchr(place->current, '=');
    if (equals == NULL && !is_setting(place->before)) {
        offer_keys(place, "=");
        return;
    }
    Place value = *place;
    gsize length = equals != NULL ? (gsize)(equals - place->current) + 1 : 0;
    g_autofree char *prefix = g_strndup(place->current, length);
    g_autofree char *key = g_strndup(place->current, MAX(length, 1) - 1);
    if (equals != NULL) {
        value.before = key;
        value.prefix = prefix;
        value.current = equals + 1;
    }
    offer_setting_values(&value);
}

static void offer_templates(const Place *place)
{
    g_autoptr(GPtrArray) templates = berth_templates(place->berth);
    for (guint i = 0; i < templates->len; i++) {
        const BerthTemplate *template = templates->pdata[i];
        offer(place, template->name, template->summary);
    }
}

static void offer_snapshots(const Place *place)
{
    g_autoptr(GPtrArray) snapshots =
        place->first != NULL ? berth_snapshot_list(place->berth, place->first, NULL) : NULL;
    for (guint i = 0; snapshots != NULL && i < snapshots->len; i++)
        offer(place, ((const BerthSnapshotInfo *)snapshots->pdata[i])->tag, "snapshot");
}

static void offer_kind(const Place *place, const char *kind)
{
    if (strcmp(kind, "distro") == 0)
        offer_distros(place, "");
    else if (strcmp(kind, "verb") == 0)
        offer_verbs(place);
    else if (strcmp(kind, "dir") == 0)
        printf(":directories\n");
    else if (strcmp(kind, "path") == 0)
        offer_distros(place, ":");
    else if (strcmp(kind, "setting") == 0)
        offer_settings(place);
    else if (strcmp(kind, "template") == 0)
        offer_templates(place);
    else if (strcmp(kind, "snapshot") == 0)
        offer_snapshots(place);
    else if (strcmp(kind, "value") == 0)
        offer_setting_values(place);
    else if (strcmp(kind, "assignment") == 0)
        offer_assignments(place);
    else if (strcmp(kind, "key") == 0)
        offer_keys(place, "");
    else if (strcmp(kind, "file") != 0 && strcmp(kind, "-") != 0)
        offer_alternatives(place, kind);
    if (strcmp(kind, "file") == 0 || strcmp(kind, "path") == 0)
        printf(":files\n");
}

static void offer_value(const Place *place)
{
    static const struct {
        const char *value, *kind;
    } kinds[] = {{"NAME", "distro"}, {"DIR", "dir"}, {"FILE", "file"}, {"IMG", "file"}};
    const char *kind = place->pending->completes;
    for (gsize i = 0; kind == NULL && i < G_N_ELEMENTS(kinds); i++)
        if (strcmp(place->pending->value, kinds[i].value) == 0)
            kind = kinds[i].kind;
    if (kind != NULL)
        offer_kind(place, kind);
}

static void offer_option(const Place *place, const Option *option)
{
    g_autofree char *word = g_strconcat("--", option->name, NULL);
    offer(place, word, option->help);
}

static void offer_options(const Place *place)
{
    for (const Option *o = place->command->options; o != NULL && o->name != NULL; o++)
        offer_option(place, o);
    offer_option(place, &command_help_option);
}

static void offer_argument(const Place *place)
{
    const char *text = place->command->completes != NULL ? place->command->completes : "";
    g_auto(GStrv) kinds = g_strsplit(text, " ", -1);
    guint count = g_strv_length(kinds);
    if (count == 0)
        return;
    char *last = kinds[count - 1];
    bool repeats = g_str_has_suffix(last, "...");
    if (repeats)
        last[strlen(last) - strlen("...")] = '\0';
    if (place->position < count || repeats)
        offer_kind(place, kinds[MIN(place->position, count - 1)]);
}

/* Find the option whose value follows @word. */
static const Option *option_before_value(const Command *command, const char *word)
{
    const Option *option = NULL;
    if (word[1] == '-')
        option = command_find_long(command, word + 2, strlen(word + 2));
    else if (word[1] != '\0' && word[2] == '\0')
        option = command_find_letter(command, word[1]);
    return option != NULL && option->value != NULL ? option : NULL;
}

/* Go past @word, which is not the current one. */
static void pass(Place *place, const char *word)
{
    bool is_value = place->pending != NULL;
    place->pending = NULL;
    if (is_value)
        return;
    if (place->ended || word[0] != '-' || word[1] == '\0') {
        place->first = place->position == 0 ? word : place->first;
        place->position++;
        place->before = word;
        place->ended = place->ended || place->command->strict;
    } else if (command_ends_options(place->command, word)) {
        place->ended = true;
    } else {
        place->pending = option_before_value(place->command, word);
    }
}

/* Split "--NAME=VALUE", the current word; free the prefix with g_free. */
static char *split_current(Place *place)
{
    const char *equals = strchr(place->current, '=');
    if (place->ended || !g_str_has_prefix(place->current, "--") || equals == NULL)
        return NULL;
    gsize length = (gsize)(equals - place->current);
    place->pending = command_find_long(place->command, place->current + 2, length - 2);
    char *prefix = g_strndup(place->current, length + 1);
    place->current = equals + 1;
    place->prefix = prefix;
    return prefix;
}

static void complete(Place *place)
{
    g_autofree char *prefix = place->pending == NULL ? split_current(place) : NULL;
    if (place->pending != NULL && place->pending->value != NULL)
        offer_value(place);
    else if (prefix == NULL && !place->ended && place->current[0] == '-')
        offer_options(place);
    else if (prefix == NULL)
        offer_argument(place);
}

/* @words after berth itself, the current one last. */
static void complete_words(Place *place, char **words, int n_words)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    int used;
    bool unnamed;
    place->current = words[n_words - 1];
    g_ptr_array_add(argv, (char *)"berth");
    for (int i = 0; i < n_words - 1; i++)
        g_ptr_array_add(argv, words[i]);
    place->command = command_choose((int)argv->len, (char **)argv->pdata, &used, &unnamed);
    bool first = argv->len == 1;
    if (first) {
        place->command = &command_run;
        offer_verbs(place);
        if (place->current[0] == '-')
            offer_spellings(place);
    }
    if (place->command == NULL || (first && place->current[0] != '-'))
        return;
    for (guint i = first ? 1 : (guint)used; i < argv->len; i++)
        pass(place, argv->pdata[i]);
    complete(place);
}

/* bash makes "--format=tar" three words: drop the "=", which the current word may be, too. */
static int drop_equals(char **words, int n_words)
{
    static char nothing[] = "";
    int kept = 0;
    for (int i = 0; i < n_words; i++)
        if (strcmp(words[i], "=") != 0)
            words[kept++] = words[i];
        else if (i == n_words - 1)
            words[kept++] = nothing;
    return kept;
}

static int run(Invocation *invocation, GError **error)
{
    Place place = {.berth = invocation->berth, .prefix = ""};
    int n_words = drop_equals(invocation->arguments, invocation->n_arguments);
    if (n_words > 0)
        complete_words(&place, invocation->arguments, n_words);
    return 0;
}

const Command command_complete = {
    .name = "__complete",
    .synopsis = "-- WORD...",
    .summary = "Print the candidates for the last word, for the completion of shells",
    .max_arguments = -1,
    .hidden = true,
    .strict = true,
    .run = run,
};
