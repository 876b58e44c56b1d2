/* SPDX-License-Identifier: MIT */
#include "conf.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* ctype.h depends on the locale and does not accept a negative char. */
static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_word(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9');
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* The length of the line end at @at; 0: none. */
static size_t line_end(const char *at)
{
    if (at[0] == '\n')
        return 1;
    return at[0] == '\r' && at[1] == '\n' ? 2 : 0;
}

static char *skip_spaces(char *at)
{
    while (is_space(*at))
        at++;
    return at;
}

/* Advance to the beginning of the next line. */
static void skip_line(ConfReader *reader)
{
    char *newline = strchr(reader->next, '\n');
    if (newline != NULL)
        reader->line++;
    reader->next = newline != NULL ? newline + 1 : reader->next + strlen(reader->next);
}

static void set_syntax_error(ConfReader *reader, ConfEntry *entry, const char *problem)
{
    entry->kind = CONF_BAD;
    entry->name = NULL;
    entry->value = problem;
    skip_line(reader);
}

/* Read a name at reader->next and advance. NULL: there is none. Sets *ret_end to its end. */
static char *read_name(ConfReader *reader, char **ret_end)
{
    char *name = reader->next;
    if (!is_letter(*name))
        return NULL;
    while (is_word(*reader->next))
        reader->next++;
    *ret_end = reader->next;
    return name;
}

static bool ends_line(const char *at)
{
    return *at == '\0' || *at == '#' || line_end(at) > 0;
}

static void read_section(ConfReader *reader, ConfEntry *entry)
{
    char *end = NULL;
    reader->next++;
    entry->kind = CONF_SECTION;
    entry->name = read_name(reader, &end);
    if (entry->name == NULL) {
        set_syntax_error(reader, entry, "a section's name begins with a letter");
        return;
    }
    if (*end != ']') {
        set_syntax_error(reader, entry, "expected ]");
        return;
    }
    reader->next = skip_spaces(end + 1);
    if (!ends_line(reader->next)) {
        set_syntax_error(reader, entry, "nothing but a comment can follow a section");
        return;
    }
    skip_line(reader);
    *end = '\0';
}

/* Unescape the character at reader->next, after a backslash, to *to. False: unknown escape. */
static bool read_escape(ConfReader *reader, char **to)
{
    static const char from[] = "\"\\ntb";
    static const char into[] = "\"\\\n\t\b";
    size_t end = line_end(reader->next);
    if (end > 0) {
        reader->next += end;
        reader->line++;
        return true;
    }
    const char *known = *reader->next != '\0' ? strchr(from, *reader->next) : NULL;
    if (known == NULL)
        return false;
    *(*to)++ = into[known - from];
    reader->next++;
    return true;
}

/* Read the value at reader->next, unescaped in place. NULL with *ret_problem on a syntax error;
 * reader->next is within the line then. */
static const char *read_value(ConfReader *reader, const char **ret_problem)
{
    char *value = reader->next;
    char *to = value;
    char *kept = value; /* end without unquoted trailing spaces */
    bool quoted = false;
    while (*reader->next != '\0' && line_end(reader->next) == 0) {
        char c = *reader->next;
        if (c == '#' && !quoted)
            break;
        reader->next++;
        if (c == '"') {
            quoted = !quoted;
            kept = to;
        } else if (c == '\\') {
            if (!read_escape(reader, &to)) {
                snprintf(reader->problem, sizeof(reader->problem), "unknown escape \\%c",
                         *reader->next >= ' ' && *reader->next <= '~' ? *reader->next : '?');
                *ret_problem = reader->problem;
                return NULL;
            }
            kept = to;
        } else {
            *to++ = c;
            kept = quoted || !is_space(c) ? to : kept;
        }
    }
    if (quoted) {
        *ret_problem = "a quotation mark is not closed";
        return NULL;
    }
    skip_line(reader);
    *kept = '\0';
    return value;
}

static void read_key(ConfReader *reader, ConfEntry *entry)
{
    char *end = NULL;
    const char *problem = NULL;
    entry->kind = CONF_VALUE;
    entry->name = read_name(reader, &end);
    if (entry->name == NULL) {
        set_syntax_error(reader, entry, "a key begins with a letter");
        return;
    }
    reader->next = skip_spaces(end);
    if (*reader->next != '=') {
        set_syntax_error(reader, entry, "expected =");
        return;
    }
    reader->next = skip_spaces(reader->next + 1);
    entry->value = read_value(reader, &problem);
    *end = '\0';
    if (entry->value == NULL)
        set_syntax_error(reader, entry, problem);
}

void conf_begin(ConfReader *reader, char *text)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf"; /* Windows editors write it */
    size_t length = strlen(byte_order_mark);
    bool marked = strncmp(text, byte_order_mark, length) == 0;
    *reader = (ConfReader){.next = text + (marked ? length : 0), .line = 1};
}

bool conf_next(ConfReader *reader, ConfEntry *ret_entry)
{
    for (;;) {
        reader->next = skip_spaces(reader->next);
        if (*reader->next == '\0')
            return false;
        if (!ends_line(reader->next))
            break;
        skip_line(reader);
    }

    *ret_entry = (ConfEntry){.line = reader->line};
    if (*reader->next == '[')
        read_section(reader, ret_entry);
    else
        read_key(reader, ret_entry);
    return true;
}
