/* SPDX-License-Identifier: MIT */
#include "mdoc.h"

#include "mdoc_text.h"

#include <string.h>

/* Append a paragraph of a help text: @literal as it is, or filled. */
static void add_paragraph(GString *page, const char *lines, bool literal)
{
    if (lines[0] == '\0')
        return;
    g_string_append(page, literal ? ".Pp\n.Bd -literal -compact\n" : ".Pp\n");
    g_string_append(page, lines);
    g_string_append(page, literal ? ".Ed\n" : "");
}

/* Append a help text. An empty line ends a paragraph; lines that begin with a blank are one of
 * their own. */
static void add_details(GString *page, const char *details)
{
    g_auto(GStrv) lines = g_strsplit(details, "\n", -1);
    for (gsize i = 0; lines[i] != NULL;) {
        bool literal = lines[i][0] == ' ';
        g_autoptr(GString) part = g_string_new(NULL);
        g_autoptr(GString) text = g_string_new(NULL);
        for (; lines[i] != NULL && lines[i][0] != '\0' && (lines[i][0] == ' ') == literal; i++)
            if (literal)
                mdoc_add_line(part, lines[i]);
            else
                g_string_append_printf(text, "%s\n", lines[i]);
        mdoc_add_text(part, text->str);
        add_paragraph(page, part->str, literal);
        if (lines[i] != NULL && lines[i][0] == '\0')
            i++;
    }
}

/* The macro of a word of a synopsis: an argument in capitals, an option, or a word as it is. */
static void add_synopsis_word(GString *page, const char *word, gsize length)
{
    bool argument = g_ascii_isupper(word[0]);
    if (length == strlen("...") && strncmp(word, "...", length) == 0) {
        g_string_append(page, " ...");
        return;
    }
    if (strncmp(word, "--", MIN(length, 2)) == 0 && length >= 2) {
        g_string_append(page, " Fl \\-");
        mdoc_add_escaped(page, word + 2, length - 2);
        return;
    }
    bool repeats = length > strlen("...") && strncmp(word + length - strlen("..."), "...", 3) == 0;
    g_string_append(page, argument ? " Ar " : " Cm ");
    mdoc_add_escaped(page, word, length - (repeats ? strlen("...") : 0));
    if (repeats)
        g_string_append(page, " ...");
}

/* Append a synopsis as the help shows it: "[OPTION]... NAME [DIR]". */
static void add_synopsis(GString *page, const char *text)
{
    g_autoptr(GString) line = g_string_new(NULL);
    while (*text != '\0') {
        gsize length = strcspn(text, " []|,");
        if (length > 0)
            add_synopsis_word(line, text, length);
        text += length;
        if (*text == '[')
            g_string_append(line, " Oo");
        else if (*text == ']')
            g_string_append(line, " Oc");
        else if (*text == '|' || *text == ',')
            g_string_append_printf(line, " %c", *text);
        if (*text != '\0')
            text++;
    }
    if (line->len > 0)
        g_string_append_printf(page, ".%s\n", line->str + 1);
}

static void add_option(GString *page, const Option *option)
{
    g_string_append(page, ".It ");
    if (option->letter != '\0')
        g_string_append_printf(page, "Fl %c , ", option->letter);
    g_string_append(page, "Fl \\-");
    mdoc_add_escaped(page, option->name, strlen(option->name));
    if (option->value != NULL) {
        g_string_append(page, " Ar ");
        mdoc_add_escaped(page, option->value, strlen(option->value));
    }
    g_string_append_c(page, '\n');
    mdoc_add_sentence(page, option->help);
}

static void add_options(GString *page, const Command *command)
{
    g_string_append(page, ".Pp\nThe options are as follows:\n.Bl -tag -width Ds\n");
    for (const Option *o = command->options; o != NULL && o->name != NULL; o++)
        add_option(page, o);
    add_option(page, &command_help_option);
    g_string_append(page, ".El\n");
}

static void add_exit_status(GString *page, const Command *command)
{
    g_string_append(page, ".Sh EXIT STATUS\n");
    if (command->failure != 0)
        g_string_append_printf(page,
                               "The exit status of the command in the distro, or %d if\n.Nm\n"
                               "itself failed.\n",
                               command->failure);
    else
        g_string_append(page, "0 on success, 1 if the command failed, 2 if the command line is\n"
                              "wrong.\n");
}

void mdoc_add_command(GString *page, const Command *command)
{
    g_autofree char *name = g_strconcat("berth-", command->name, NULL);
    g_autofree char *summary = g_strdup(command->summary);
    summary[0] = g_ascii_tolower(summary[0]);
    mdoc_add_head(page, name, 1, summary);
    g_string_append_printf(page, ".Sh SYNOPSIS\n.Nm berth %s\n", command->name);
    add_synopsis(page, command->synopsis);
    g_string_append(page, ".Sh DESCRIPTION\n");
    mdoc_add_sentence(page, command->summary);
    if (command->details != NULL)
        add_details(page, command->details);
    add_options(page, command);
    if (command->spellings != NULL) {
        g_string_append(page, ".Pp\nOther spellings of the command:\n");
        mdoc_add_sentence(page, command->spellings);
    }
    add_exit_status(page, command);
    bool json = command_find_long(command, "json", strlen("json")) != NULL;
    g_string_append_printf(page, ".Sh SEE ALSO\n.Xr berth 1 ,\n%s.Xr berth.conf 5\n",
                           json ? ".Xr berth-json 5 ,\n" : "");
}

void mdoc_add_overview(GString *page)
{
    mdoc_add_head(page, "berth", 1, "Linux distros, each in a small virtual machine of its own");
    g_string_append(page, ".Sh SYNOPSIS\n.Nm\n.Op Ar COMMAND\n.Op Ar OPTION\n.Op Ar ARGUMENT\n"
                          ".Sh DESCRIPTION\nWithout a command,\n.Nm\n"
                          "opens a shell in the default distro.\n.Pp\nThe commands are as "
                          "follows:\n.Bl -tag -width Ds\n");
    for (gsize i = 0; commands[i] != NULL; i++) {
        if (commands[i]->hidden)
            continue;
        g_string_append_printf(page, ".It Xr berth-%s 1\n", commands[i]->name);
        mdoc_add_sentence(page, commands[i]->summary);
    }
    g_string_append(page, ".El\n.Pp\nThe spellings of wsl.exe work, too:\n.Nm\n"
                          ".Fl \\-import , Fl l Fl v , Fl d Ar NAME Fl u Ar USER Fl \\- Ar "
                          "COMMAND ,\n.Fl \\-terminate Ar NAME , Fl \\-shutdown .\n"
                          ".Sh EXIT STATUS\n");
    mdoc_add_text(page,
                  "0 on success, 1 if the command failed, 2 if the command line is wrong; of a "
                  "command in a distro its own status, or 125 if berth itself failed.");
    g_string_append(page, ".Sh SEE ALSO\n.Xr berth-json 5 ,\n.Xr berth.conf 5\n");
}
