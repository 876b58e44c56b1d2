/* SPDX-License-Identifier: MIT
 *
 * Real shells read the line: every one that this host has.
 */
#include "../../cmd/berth/line.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define BATCHES 50
#define WORDS   24

static const char *const shells[][3] = {
    {"sh", NULL}, {"bash", NULL}, {"dash", NULL}, {"busybox", "sh", NULL}};

/* Run @line, a command that prints each of its arguments and a NUL, in @shell. */
static void assert_prints(const char *const *shell, const char *line, const GString *expected)
{
    g_autofree char *path = g_find_program_in_path(shell[0]);
    if (path == NULL)
        return;
    const char *const with_word[] = {path, shell[1], "-c", line, NULL};
    const char *const without[] = {path, "-c", line, NULL};
    g_auto(GStrv) environment = g_environ_setenv(g_get_environ(), "LC_ALL", "C", TRUE);
    const char *const *argv = shell[1] != NULL ? with_word : without;
    g_autoptr(GError) error = NULL;
    int fd, status;
    GPid pid;
    g_spawn_async_with_pipes(NULL, (char **)argv, environment, G_SPAWN_DO_NOT_REAP_CHILD, NULL,
                             NULL, &pid, NULL, &fd, NULL, &error);
    g_assert_no_error(error);
    g_autoptr(GIOChannel) channel = g_io_channel_unix_new(fd);
    g_io_channel_set_encoding(channel, NULL, NULL);
    g_io_channel_set_close_on_unref(channel, TRUE);
    g_autofree char *printed = NULL;
    gsize size;
    g_io_channel_read_to_end(channel, &printed, &size, &error);
    g_assert_no_error(error);
    waitpid(pid, &status, 0);
    g_assert_cmpmem(printed, size, expected->str, expected->len);
}

/* A random string, mostly of bytes special to a shell, with a blank in it. */
static char *random_word(void)
{
    static const char hard[] = "\\\\\\\"\"$`$`'!#&*?;|<>(){}[]~=%^ \t\n\1\177";
    int length = g_test_rand_int_range(0, 12);
    char *word = g_malloc0((gsize)length + 2);
    for (int i = 0; i < length; i++)
        word[i] = g_test_rand_int_range(0, 4) != 0
                      ? hard[g_test_rand_int_range(0, (int)strlen(hard))]
                      : (char)g_test_rand_int_range(1, 256);
    word[length] = ' ';
    int at = g_test_rand_int_range(0, length + 1);
    word[length] = word[at];
    word[at] = ' ';
    return word;
}

/* Escape as a user does to prevent expansion. */
static char *escape(const char *word)
{
    GString *escaped = g_string_new(NULL);
    for (const char *c = word; *c != '\0'; c++) {
        if (*c == '$' || *c == '`')
            g_string_append_c(escaped, '\\');
        g_string_append_c(escaped, *c);
    }
    return g_string_free(escaped, FALSE);
}

static void test_every_byte_string_arrives(void)
{
    for (int batch = 0; batch < BATCHES; batch++) {
        g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GString) expected = g_string_new(NULL);
        g_ptr_array_add(words, g_strdup("printf"));
        g_ptr_array_add(words, g_strdup("'%s\\0'"));
        for (int i = 0; i < WORDS; i++) {
            g_autofree char *word = random_word();
            g_string_append_len(expected, word, (gssize)strlen(word) + 1);
            g_ptr_array_add(words, escape(word));
        }
        g_ptr_array_add(words, NULL);
        g_autofree char *line = line_from_words((char *const *)words->pdata);
        for (gsize i = 0; i < G_N_ELEMENTS(shells); i++)
            assert_prints(shells[i], line, expected);
    }
}

static void test_lines(void)
{
    static const struct {
        const char *words[4];
        const char *line;
    } rows[] = {
        {{"cmd", "a b\\", NULL}, "cmd \"a b\\\\\""},
        {{"cmd", "", "x", NULL}, "cmd \"\" x"},
        {{"echo", "$HOME/a b", "*.c", NULL}, "echo \"$HOME/a b\" *.c"},
        {{"echo", "say \"it\"", NULL}, "echo \"say \\\"it\\\"\""},
        {{"echo", "a \\$HOME", NULL}, "echo \"a \\$HOME\""},
        {{"echo", "a\\", NULL}, "echo a\\"},
        {{"echo a; echo 'b c'", NULL}, "echo a; echo 'b c'"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *line = line_from_words((char *const *)rows[i].words);
        g_assert_cmpstr(line, ==, rows[i].line);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/berth/line/lines", test_lines);
    g_test_add_func("/berth/line/every-byte-string-arrives", test_every_byte_string_arrives);
    return g_test_run();
}
