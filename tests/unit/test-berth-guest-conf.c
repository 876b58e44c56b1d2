/* SPDX-License-Identifier: MIT */
#include "distro/conf.h"

#include <glib.h>

/* Format all of @text as "line:kind:name=value;", with S, V and B for the kinds. */
static char *entries(const char *text)
{
    static const char kinds[] = "SVB";
    g_autofree char *copy = g_strdup(text);
    GString *all = g_string_new(NULL);
    ConfReader reader;
    ConfEntry entry;
    conf_begin(&reader, copy);
    while (conf_next(&reader, &entry))
        g_string_append_printf(all, "%u:%c:%s=%s;", entry.line, kinds[entry.kind],
                               entry.name != NULL ? entry.name : "",
                               entry.value != NULL ? entry.value : "");
    return g_string_free(all, FALSE);
}

typedef struct {
    const char *text;
    const char *wanted;
} Row;

static void assert_rows(const Row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        g_autofree char *got = entries(rows[i].text);
        g_assert_cmpstr(got, ==, rows[i].wanted);
    }
}

static void test_grammar(void)
{
    static const Row rows[] = {
        {"", ""},
        {"\n \t\r\n# a comment\n", ""},
        {"\xef\xbb\xbf[boot]\nsystemd=true", "1:S:boot=;2:V:systemd=true;"},
        {"[a] # why\r\nb = c d \t# why\r\n", "1:S:a=;2:V:b=c d;"},
        {"a = \"# \\\"x\\\" \"", "1:V:a=# \"x\" ;"},
        {"a = one \\\n  two\nb=3", "1:V:a=one   two;3:V:b=3;"},
        {"a = x\\ty\\\\z\n", "1:V:a=x\ty\\z;"},
        {"a =\nb=", "1:V:a=;2:V:b=;"},
    };
    assert_rows(rows, G_N_ELEMENTS(rows));
}

/* A syntax error is one entry, and parsing continues with the next line. */
static void test_bad_lines(void)
{
    static const Row rows[] = {
        {"[1a]\nb=1", "1:B:=a section's name begins with a letter;2:V:b=1;"},
        {"[a\nb=1", "1:B:=expected ];2:V:b=1;"},
        {"[a] b\nb=1", "1:B:=nothing but a comment can follow a section;2:V:b=1;"},
        {"=1\nb=1", "1:B:=a key begins with a letter;2:V:b=1;"},
        {"a b\nb=1", "1:B:=expected =;2:V:b=1;"},
        {"a = \"x\nb=1", "1:B:=a quotation mark is not closed;2:V:b=1;"},
        {"a = \\q\nb=1", "1:B:=unknown escape \\q;2:V:b=1;"},
        {"a = \\\x01\nb=1", "1:B:=unknown escape \\?;2:V:b=1;"},
        {"a = x\\", "1:B:=unknown escape \\?;"},
    };
    assert_rows(rows, G_N_ELEMENTS(rows));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/conf/grammar", test_grammar);
    g_test_add_func("/conf/bad-lines", test_bad_lines);
    return g_test_run();
}
