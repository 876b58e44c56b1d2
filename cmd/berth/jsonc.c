/* SPDX-License-Identifier: MIT */
#include "jsonc.h"

#include <stdbool.h>
#include <string.h>

typedef struct {
    const char *at;
    const char *origin;
    guint line;
    guint depth;
    GError **error;
} Reader;

static Jsonc *read_value(Reader *reader);

static void free_value(gpointer data)
{
    jsonc_free(data);
}

static Jsonc *value_new(const Reader *reader, JsoncType type)
{
    Jsonc *value = g_new0(Jsonc, 1);
    value->type = type;
    value->line = reader->line;
    if (type == JSONC_ARRAY || type == JSONC_OBJECT)
        value->items = g_ptr_array_new_with_free_func(free_value);
    if (type == JSONC_OBJECT)
        value->keys = g_ptr_array_new_with_free_func(g_free);
    return value;
}

void jsonc_free(Jsonc *value)
{
    if (value == NULL)
        return;
    g_free(value->text);
    g_clear_pointer(&value->items, g_ptr_array_unref);
    g_clear_pointer(&value->keys, g_ptr_array_unref);
    g_free(value);
}

static bool fail(Reader *reader, const char *what)
{
    berth_error_set(reader->error, BERTH_ERROR_INVALID, "project.json",
                    "an editor that knows JSON with comments shows the place", "%s:%u: %s",
                    reader->origin, reader->line, what);
    return false;
}

/* --- blanks and comments --- */

/* Go behind a comment that begins here; a false return is an error. */
static bool skip_comment(Reader *reader)
{
    bool is_line = reader->at[1] == '/';
    const char *end = strstr(reader->at + 2, is_line ? "\n" : "*/");
    if (end == NULL && !is_line)
        return fail(reader, "a comment has no end");
    if (end == NULL)
        end = reader->at + strlen(reader->at);
    for (; reader->at < end; reader->at++)
        reader->line += *reader->at == '\n';
    reader->at += is_line ? 0 : 2;
    return true;
}

static bool skip_blanks(Reader *reader)
{
    for (;;) {
        while (*reader->at != '\0' && strchr(" \t\r\n", *reader->at) != NULL)
            reader->line += *reader->at++ == '\n';
        if (reader->at[0] != '/' || (reader->at[1] != '/' && reader->at[1] != '*'))
            return true;
        if (!skip_comment(reader))
            return false;
    }
}

/* --- strings --- */

/* The four digits at @text; -1 if there are not as many. */
static int read_hex(const char *text)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = g_ascii_xdigit_value(text[i]);
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* Read "\uXXXX", of which the backslash is passed, with its second half if it has one. */
static bool read_unicode(Reader *reader, GString *text)
{
    int value = read_hex(reader->at + 1);
    if (value < 0)
        return fail(reader, "\\u needs four hexadecimal digits");
    reader->at += 5;
    if (value >= 0xD800 && value < 0xDC00 && reader->at[0] == '\\' && reader->at[1] == 'u') {
        int low = read_hex(reader->at + 2);
        if (low >= 0xDC00 && low < 0xE000) {
            value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
            reader->at += 6;
        }
    }
    if (value == 0)
        return fail(reader, "a string has a zero byte");
    g_string_append_unichar(text, value >= 0xD800 && value < 0xE000 ? 0xFFFD : (gunichar)value);
    return true;
}

static bool read_escape(Reader *reader, GString *text)
{
    static const char letters[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    reader->at++;
    if (*reader->at == 'u')
        return read_unicode(reader, text);
    const char *found = *reader->at != '\0' ? strchr(letters, *reader->at) : NULL;
    if (found == NULL)
        return fail(reader, "unknown escape in a string");
    g_string_append_c(text, bytes[found - letters]);
    reader->at++;
    return true;
}

/* Read a string, whose quote is here; free with g_free. NULL on error. */
static char *read_string(Reader *reader)
{
    g_autoptr(GString) text = g_string_new(NULL);
    reader->at++;
    while (*reader->at != '"') {
        if (g_ascii_iscntrl(*reader->at)) {
            fail(reader, "a string has no end in its line");
            return NULL;
        }
        if (*reader->at == '\\') {
            if (!read_escape(reader, text))
                return NULL;
        } else {
            g_string_append_c(text, *reader->at++);
        }
    }
    reader->at++;
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* --- values --- */

static Jsonc *read_word(Reader *reader)
{
    static const struct {
        const char *pattern;
        JsoncType type;
    } words[] = {
        {"^null(?![\\w])", JSONC_NULL},
        {"^(?:true|false)(?![\\w])", JSONC_BOOL},
        {"^-?(?:0|[1-9][0-9]{0,30})(?:\\.[0-9]{1,30})?(?:[eE][-+]?[0-9]{1,3})?(?![\\w.])",
         JSONC_NUMBER},
    };
    g_autofree char *begin = g_strndup(reader->at, 80);
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++) {
        g_autoptr(GRegex) regex = g_regex_new(words[i].pattern, G_REGEX_RAW, 0, NULL);
        g_autoptr(GMatchInfo) match = NULL;
        if (!g_regex_match(regex, begin, 0, &match))
            continue;
        Jsonc *value = value_new(reader, words[i].type);
        value->text = g_match_info_fetch(match, 0);
        reader->at += strlen(value->text);
        return value;
    }
    fail(reader, *reader->at == '\0' ? "the text ends too early" : "a value is missing");
    return NULL;
}

/* Read "KEY :" of an object; @seen: the keys before it, which it joins. */
static bool read_key(Reader *reader, Jsonc *object, GHashTable *seen)
{
    if (*reader->at != '"')
        return fail(reader, "a key in quotes is missing");
    char *key = read_string(reader);
    if (key == NULL)
        return false;
    g_ptr_array_add(object->keys, key);
    if (!g_hash_table_add(seen, key))
        return fail(reader, "the key is there twice");
    if (!skip_blanks(reader))
        return false;
    if (*reader->at++ != ':') {
        reader->at--;
        return fail(reader, "a colon is missing");
    }
    return skip_blanks(reader);
}

/* Read the members up to @end, whose opening bracket is here. */
static bool read_members(Reader *reader, Jsonc *value, char end)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    reader->at++;
    if (!skip_blanks(reader))
        return false;
    while (*reader->at != end) {
        if (value->type == JSONC_OBJECT && !read_key(reader, value, seen))
            return false;
        Jsonc *item = read_value(reader);
        if (item == NULL)
            return false;
        g_ptr_array_add(value->items, item);
        if (!skip_blanks(reader))
            return false;
        if (*reader->at != ',' && *reader->at != end)
            return fail(reader, "a comma or a closing bracket is missing");
        reader->at += *reader->at == ',';
        if (!skip_blanks(reader))
            return false;
    }
    reader->at++;
    return true;
}

static Jsonc *read_value(Reader *reader)
{
    bool is_object = *reader->at == '{';
    if (*reader->at == '"') {
        g_autoptr(Jsonc) text = value_new(reader, JSONC_STRING);
        text->text = read_string(reader);
        return text->text != NULL ? g_steal_pointer(&text) : NULL;
    }
    if (!is_object && *reader->at != '[')
        return read_word(reader);
    if (reader->depth == JSONC_DEPTH_MAX) {
        fail(reader, "brackets are nested too deep");
        return NULL;
    }
    g_autoptr(Jsonc) value = value_new(reader, is_object ? JSONC_OBJECT : JSONC_ARRAY);
    reader->depth++;
    bool ok = read_members(reader, value, is_object ? '}' : ']');
    reader->depth--;
    return ok ? g_steal_pointer(&value) : NULL;
}

Jsonc *jsonc_parse(const char *text, const char *origin, GError **error)
{
    const char *begin = g_str_has_prefix(text, "\xEF\xBB\xBF") ? text + 3 : text;
    Reader reader = {.at = begin, .origin = origin, .line = 1, .error = error};
    if (!g_utf8_validate(text, -1, NULL)) {
        fail(&reader, "not a text in UTF-8");
        return NULL;
    }
    if (!skip_blanks(&reader))
        return NULL;
    g_autoptr(Jsonc) value = read_value(&reader);
    if (value == NULL || !skip_blanks(&reader))
        return NULL;
    if (*reader.at == '\0')
        return g_steal_pointer(&value);
    fail(&reader, "there is more behind the end");
    return NULL;
}
