/* SPDX-License-Identifier: MIT */
#include "fetch/challenge.h"

#include <string.h>

static void test_values(void)
{
    static const struct {
        const char *value, *realm, *service;
    } cases[] = {
        {"Bearer realm=\"https://a/t\",service=\"b\",scope=\"c:d:pull\"", "https://a/t", "b"},
        {"bearer  realm=\"https://a/t\" , service=\"b, c\"", "https://a/t", "b, c"},
        {"Bearer service=b,realm=https://a/t", "https://a/t", "b"},
        {"Bearer realm=\"a\\\"b\"", "a\"b", NULL},
        {"Bearer REALM=\"x\",realm=\"y\"", "x", NULL},
        {"Bearer realm=\"\"", "", NULL},
        {"Bearer realm=\"open", "open", NULL},
        {"Basic realm=\"x\", Bearer realm=\"y\", service=\"z\"", "y", "z"},
        {"Bearer realm=\"y\", Basic realm=\"x\"", "y", NULL},
        {"Negotiate, Bearer realm=y", "y", NULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(BerthFetchChallenge) challenge = {0};
        g_assert_true(berth_fetch_challenge_parse(cases[i].value, &challenge));
        g_assert_cmpstr(challenge.realm, ==, cases[i].realm);
        g_assert_cmpstr(challenge.service, ==, cases[i].service);
    }
}

static void test_others(void)
{
    static const char *const values[] = {
        "",
        ",",
        "Bearer",
        "Bearer ",
        "Bearer realm",
        "Basic",
        "Bearer x=y",
        "Bearerrealm=\"x\"",
        "Basic realm=\"Bearer realm=y\"",
        "realm=\"x\"",
        "\"",
        "Bearer \"",
        "Bearer realm=,",
        "=,=\"",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(values); i++) {
        g_auto(BerthFetchChallenge) challenge = {0};
        g_assert_false(berth_fetch_challenge_parse(values[i], &challenge));
    }
}

static void test_urls(void)
{
    const BerthFetchChallenge plain = {.realm = (char *)"https://a/t"};
    const BerthFetchChallenge full = {.realm = (char *)"https://a/t?x=y",
                                      .service = (char *)"b c&d"};
    g_autofree char *first = berth_fetch_challenge_url(&plain, "library/debian");
    g_autofree char *second = berth_fetch_challenge_url(&full, "x");
    g_assert_cmpstr(first, ==, "https://a/t?scope=repository:library/debian:pull");
    g_assert_cmpstr(second, ==, "https://a/t?x=y&service=b%20c%26d&scope=repository:x:pull");
}

/* Any text: it ends, and reads nothing beyond. */
static void test_random_values(void)
{
    static const char letters[] = "Bearer realm=\"\\,x\t";
    for (guint seed = 0; seed < 20000; seed++) {
        g_autoptr(GRand) random = g_rand_new_with_seed(seed);
        guint length = (guint)g_rand_int_range(random, 0, 40);
        g_autofree char *value = g_malloc(length + 1);
        for (guint i = 0; i < length; i++)
            value[i] = letters[g_rand_int_range(random, 0, sizeof(letters) - 1)];
        value[length] = '\0';
        g_auto(BerthFetchChallenge) challenge = {0};
        if (berth_fetch_challenge_parse(value, &challenge))
            g_assert_nonnull(challenge.realm);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fetch/challenge/values", test_values);
    g_test_add_func("/fetch/challenge/others", test_others);
    g_test_add_func("/fetch/challenge/urls", test_urls);
    g_test_add_func("/fetch/challenge/random-values", test_random_values);
    return g_test_run();
}
