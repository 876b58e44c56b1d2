/* SPDX-License-Identifier: MIT */
#include "json_check.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define KEY_SHOWN_MAX 40 /* characters of a key in a path */
#define NUMBER_MAX    64 /* characters: more digits than a double has */

typedef struct {
    const char *at, *end;
    guint depth_left;
    bool nul;
    const char *problem;
    GString *path; /* of the value at fault, made from its end */
} Check;

static bool check_value(Check *check);

static bool fail(Check *check, const char *problem)
{
    check->problem = check->at == check->end ? "it ends too early" : problem;
    return false;
}

static char peek(const Check *check)
{
    return check->at < check->end ? *check->at : '\0';
}

static void skip_blanks(Check *check)
{
    while (check->at < check->end && memchr(" \t\r\n", *check->at, 4) != NULL)
        check->at++;
}

/* --- strings --- */

/* The four hexadecimal digits after "\u"; -1: they are none. */
static int read_unit(Check *check)
{
    int unit = 0;
    if (check->end - check->at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = g_ascii_xdigit_value(check->at[i]);
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    check->at += 4;
    return unit;
}

static bool check_unicode(Check *check, GString *text)
{
    int unit = read_unit(check);
    if (unit < 0)
        return fail(check, "\\u needs four hexadecimal digits");
    gunichar character = (gunichar)unit;
    if (unit >= 0xD800 && unit < 0xE000) {
        bool pair = unit < 0xDC00 && check->end - check->at >= 2 && check->at[0] == '\\' &&
                    check->at[1] == 'u';
        check->at += pair ? 2 : 0;
        int low = pair ? read_unit(check) : -1;
        if (low < 0xDC00 || low >= 0xE000)
            return fail(check, "a string has half a character");
        character = 0x10000 + (((gunichar)unit - 0xD800) << 10) + ((gunichar)low - 0xDC00);
    }
    check->nul = check->nul || character == 0;
    if (character == 0)
        g_string_append_c(text, '\0');
    else
        g_string_append_unichar(text, character);
    return true;
}

static bool check_escape(Check *check, GString *text)
{
    static const char letters[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    check->at++;
    char letter = peek(check);
    const char *found = letter != '\0' ? strchr(letters, letter) : NULL;
    if (found == NULL && letter != 'u')
        return fail(check, "a string has an unknown escape");
    check->at++;
    if (found == NULL)
        return check_unicode(check, text);
    g_string_append_c(text, bytes[found - letters]);
    return true;
}

/* A string, whose quote is here; its value is appended to @text. */
static bool check_string(Check *check, GString *text)
{
    check->at++;
    while (peek(check) != '"') {
        if (check->at == check->end || (guchar)*check->at < ' ')
            return fail(check, "a string has a control code");
        if (*check->at != '\\')
            g_string_append_c(text, *check->at++);
        else if (!check_escape(check, text))
            return false;
    }
    check->at++;
    return true;
}

/* --- numbers and words --- */

static bool skip_digits(Check *check)
{
    const char *begin = check->at;
    while (g_ascii_isdigit(peek(check)))
        check->at++;
    return check->at > begin;
}

static bool fits(const char *begin, gsize length, bool integer)
{
    char text[NUMBER_MAX + 1];
    if (length > NUMBER_MAX)
        return false;
    memcpy(text, begin, length);
    text[length] = '\0';
    gint64 value;
    return integer ? g_ascii_string_to_signed(text, 10, G_MININT64, G_MAXINT64, &value, NULL)
                   : isfinite(g_ascii_strtod(text, NULL));
}

static bool check_number(Check *check)
{
    const char *begin = check->at;
    check->at += *begin == '-';
    bool zero = peek(check) == '0';
    if (!skip_digits(check))
        return fail(check, "it is not JSON");
    if (zero && check->at - begin > 1 + (*begin == '-')) {
        check->problem = "a number begins with a zero";
        return false;
    }
    const char *whole = check->at;
    if (peek(check) == '.') {
        check->at++;
        if (!skip_digits(check))
            return fail(check, "it is not JSON");
    }
    if (peek(check) == 'e' || peek(check) == 'E') {
        check->at++;
        check->at += peek(check) == '-' || peek(check) == '+';
        if (!skip_digits(check))
            return fail(check, "it is not JSON");
    }
    if (fits(begin, (gsize)(check->at - begin), check->at == whole))
        return true;
    check->problem = "a number is too large";
    return false;
}

static bool check_word(Check *check)
{
    static const char *const words[] = {"null", "true", "false"};
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++) {
        gsize length = strlen(words[i]);
        if ((gsize)(check->end - check->at) < length || memcmp(check->at, words[i], length) != 0)
            continue;
        check->at += length;
        return true;
    }
    return fail(check, "it is not JSON");
}

/* --- objects and lists --- */

static bool prepend_key(Check *check, const char *key)
{
    g_autofree char *escaped = g_strescape(key, NULL);
    g_autofree char *shown = g_utf8_substring(escaped, 0, MIN(strlen(escaped), KEY_SHOWN_MAX));
    const char *next = check->path->str;
    g_string_prepend(check->path, *next == '\0' || *next == '[' ? "" : ".");
    g_string_prepend(check->path, shown);
    return false;
}

static bool prepend_index(Check *check, guint index)
{
    g_autofree char *shown = g_strdup_printf("[%u]", index);
    if (check->path->len > 0 && check->path->str[0] != '[')
        g_string_prepend_c(check->path, '.');
    g_string_prepend(check->path, shown);
    return false;
}

static bool check_member(Check *check, GHashTable *keys)
{
    g_autoptr(GString) key = g_string_new(NULL);
    if (peek(check) != '"')
        return fail(check, "a key in quotes is missing");
    if (!check_string(check, key))
        return false;
    bool new = g_hash_table_add(keys, g_bytes_new(key->str, key->len));
    skip_blanks(check);
    if (!new)
        check->problem = "the key is there twice";
    else if (peek(check) != ':')
        fail(check, "a colon is missing");
    else
        check->at++;
    return (check->problem == NULL && check_value(check)) || prepend_key(check, key->str);
}

/* The members up to @close; @keys: of an object, else NULL. */
static bool check_members(Check *check, char close, GHashTable *keys)
{
    check->at++;
    skip_blanks(check);
    if (peek(check) == close) {
        check->at++;
        return true;
    }
    for (guint i = 0;; i++) {
        skip_blanks(check);
        if (keys != NULL ? !check_member(check, keys)
                         : !check_value(check) && !prepend_index(check, i))
            return false;
        skip_blanks(check);
        char next = peek(check);
        if (next != ',' && next != close)
            return fail(check, "a comma or a closing bracket is missing");
        check->at++;
        if (next == close)
            return true;
    }
}

static bool check_object(Check *check)
{
    g_autoptr(GHashTable) keys =
        g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
    return check_members(check, '}', keys);
}

/* A value with blanks around it. The recursion is as deep as the limit. */
static bool check_value(Check *check)
{
    skip_blanks(check);
    char first = peek(check);
    if (first == '"') {
        g_autoptr(GString) text = g_string_new(NULL);
        return check_string(check, text);
    }
    if (first == '-' || g_ascii_isdigit(first))
        return check_number(check);
    if (first != '{' && first != '[')
        return check_word(check);
    if (check->depth_left == 0)
        return fail(check, "the nesting is too deep");
    check->depth_left--;
    bool ok = first == '{' ? check_object(check) : check_members(check, ']', NULL);
    check->depth_left++;
    return ok;
}

static bool check_all(Check *check, gsize size)
{
    if (!g_utf8_validate_len(check->at, size, NULL))
        return fail(check, "it is not UTF-8");
    if (!check_value(check))
        return false;
    skip_blanks(check);
    return check->at == check->end || fail(check, "it is more than one value");
}

bool berth_json_check(const char *text, gsize size, guint depth_max, bool *ret_nul,
                      char **ret_problem)
{
    g_autoptr(GString) path = g_string_new(NULL);
    Check check = {.at = text, .end = text + size, .depth_left = depth_max, .path = path};
    bool ok = check_all(&check, size);
    if (ok && check.nul && ret_nul == NULL) {
        check.problem = "a string has a zero byte";
        ok = false;
    }
    if (ret_nul != NULL)
        *ret_nul = check.nul;
    if (!ok)
        *ret_problem = g_strconcat(path->str, path->len > 0 ? ": " : "", check.problem, NULL);
    return ok;
}
