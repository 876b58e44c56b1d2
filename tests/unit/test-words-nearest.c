/* SPDX-License-Identifier: MIT */
#include "words/nearest.h"

#include <glib.h>
#include <string.h>

static const char *const known[] = {"list", "import", "start",         "terminate", "memory",
                                    "cpus", "mtu",    "generateHosts", "ports",     "ports-udp"};

static const struct {
    const char *word, *closest;
} cases[] = {
    {"memmory", "memory"},
    {"memroy", "memory"},
    {"Memry", "memory"},
    {"cpsu", "cpus"},
    {"cpu", "cpus"},
    {"mut", "mtu"},
    {"lst", "list"},
    {"stat", "start"},
    {"imprt", "import"},
    {"terminat", "terminate"},
    {"GENERATEHOST", "generateHosts"},
    {"ports-upd", "ports-udp"},
    {"port", "ports"},
    {"list", "list"},
    {"", NULL},
    {"x", NULL},
    {"tu", NULL},
    {"cups-", NULL}, /* two mistakes in a short word */
    {"foo", NULL},
    {"frobnicate", NULL},
    {"memo", NULL},
};

static void test_cases(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        Nearest nearest = {.word = cases[i].word};
        for (gsize k = 0; k < G_N_ELEMENTS(known); k++)
            nearest_offer(&nearest, known[k]);
        g_test_message("%s", cases[i].word);
        g_assert_cmpstr(nearest.closest, ==, cases[i].closest);
    }
}

static void test_the_closest_wins_and_then_the_first(void)
{
    Nearest nearest = {.word = "terminat"};
    nearest_offer(&nearest, "terminal2");
    nearest_offer(&nearest, "terminate");
    nearest_offer(&nearest, "terminal");
    g_assert_cmpstr(nearest.closest, ==, "terminate");
    g_assert_cmpuint(nearest.mistakes, ==, 1);
}

static void test_long_words_are_not_compared(void)
{
    g_autofree char *fits = g_strnfill(63, 'a'), *too_long = g_strnfill(64, 'a');
    Nearest short_word = {.word = fits}, long_word = {.word = too_long};
    nearest_offer(&short_word, too_long);
    g_assert_null(short_word.closest);
    nearest_offer(&short_word, fits);
    g_assert_cmpstr(short_word.closest, ==, fits);
    nearest_offer(&long_word, fits);
    g_assert_null(long_word.closest);
}

/* Each mistake alone, at each place of a word. */
static void test_single_mistakes(void)
{
    const char *right = "disk-size";
    for (gsize at = 0; at < strlen(right); at++) {
        g_autofree char *dropped = g_strdup_printf("%.*s%s", (int)at, right, right + at + 1);
        g_autofree char *added = g_strdup_printf("%.*sq%s", (int)at, right, right + at);
        g_autofree char *changed = g_strdup(right), *swapped = g_strdup(right);
        changed[at] = 'q';
        if (at > 0)
            swapped[at] = right[at - 1], swapped[at - 1] = right[at];
        const char *const words[] = {dropped, added, changed, swapped};
        for (gsize i = 0; i < G_N_ELEMENTS(words); i++) {
            Nearest nearest = {.word = words[i]};
            nearest_offer(&nearest, right);
            g_assert_cmpstr(nearest.closest, ==, right);
            g_assert_cmpuint(nearest.mistakes, ==, g_str_equal(words[i], right) ? 0 : 1);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/words/nearest/cases", test_cases);
    g_test_add_func("/words/nearest/closest", test_the_closest_wins_and_then_the_first);
    g_test_add_func("/words/nearest/long", test_long_words_are_not_compared);
    g_test_add_func("/words/nearest/single-mistakes", test_single_mistakes);
    return g_test_run();
}
