/* SPDX-License-Identifier: MIT */
#include "model/image_reference.h"

#include "base/error.h"

#include <string.h>

#define DIGITS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* docker's reading of each word. */
static void test_parts(void)
{
    static const struct {
        const char *word, *all, *name, *base;
    } cases[] = {
        {"oci:debian", "docker.io/library/debian:latest", "debian", "https://registry-1.docker.io"},
        {"oci:debian:12", "docker.io/library/debian:12", "debian-12",
         "https://registry-1.docker.io"},
        {"debian:12", "docker.io/library/debian:12", "debian-12", "https://registry-1.docker.io"},
        {"docker.io/debian", "docker.io/library/debian:latest", "debian",
         "https://registry-1.docker.io"},
        {"index.docker.io/debian", "docker.io/library/debian:latest", "debian",
         "https://registry-1.docker.io"},
        {"oci:docker.io/library/debian@sha256:" DIGITS, "docker.io/library/debian@sha256:" DIGITS,
         "debian", "https://registry-1.docker.io"},
        {"debian:12@sha256:" DIGITS, "docker.io/library/debian:12@sha256:" DIGITS, "debian-12",
         "https://registry-1.docker.io"},
        {"some/thing", "docker.io/some/thing:latest", "thing", "https://registry-1.docker.io"},
        {"ghcr.io/x/y:tag", "ghcr.io/x/y:tag", "y-tag", "https://ghcr.io"},
        {"ghcr.io/x/y/z__a.b--c:T_1.2-3", "ghcr.io/x/y/z__a.b--c:T_1.2-3", "z__a.b--c-T_1.2-3",
         "https://ghcr.io"},
        {"localhost:5000/x", "localhost:5000/x:latest", "x", "http://localhost:5000"},
        {"localhost/x", "localhost/x:latest", "x", "http://localhost"},
        {"LOCALHOST:5000/x", "LOCALHOST:5000/x:latest", "x", "http://LOCALHOST:5000"},
        {"127.0.0.1:5000/x", "127.0.0.1:5000/x:latest", "x", "http://127.0.0.1:5000"},
        {"127.9.0.1/x", "127.9.0.1/x:latest", "x", "http://127.9.0.1"},
        {"[::1]:5000/x", "[::1]:5000/x:latest", "x", "http://[::1]:5000"},
        {"[fe80::1]/x", "[fe80::1]/x:latest", "x", "https://[fe80::1]"},
        /* only names that look like a loopback address */
        {"127.example.org/x", "127.example.org/x:latest", "x", "https://127.example.org"},
        {"localhost.example.org/x", "localhost.example.org/x:latest", "x",
         "https://localhost.example.org"},
        {"10.0.0.1:5000/x", "10.0.0.1:5000/x:latest", "x", "https://10.0.0.1:5000"},
        {"Host/x", "Host/x:latest", "x", "https://Host"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(BerthImageReference) reference =
            berth_image_reference_parse(cases[i].word, &error);
        g_assert_no_error(error);
        g_autofree char *all = berth_image_reference_format(reference);
        g_autofree char *name = berth_image_reference_name(reference);
        g_autofree char *base = berth_image_reference_base(reference);
        g_assert_cmpstr(all, ==, cases[i].all);
        g_assert_cmpstr(name, ==, cases[i].name);
        g_assert_cmpstr(base, ==, cases[i].base);
    }
}

static void test_refused(void)
{
    static const char *const words[] = {
        "oci:",
        "oci:/",
        "oci:debian:",
        "oci::12",
        "oci:Debian",
        "oci:a//b",
        "oci:a/",
        "oci:/a",
        "oci:a/-b",
        "oci:a/b-",
        "oci:a___b",
        "oci:a..b",
        "oci:../etc",
        "./file.tar",
        "/etc/passwd",
        "oci:a b",
        "oci:a\n",
        "oci:a:-tag",
        "oci:a:t/b c",
        "oci:a:t?x",
        "oci:a@sha256:12",
        "oci:a@sha512:" DIGITS DIGITS,
        "oci:a@sha256:" DIGITS "0",
        "oci:a@sha256:0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF",
        "user@host.org/x",
        "host.org:port/x",
        "host.org:0/x",
        "host.org:70000/x",
        "host.org:/x",
        "-host.org/x",
        "host-.org/x",
        "host..org/x",
        "ho_st.org/x",
        "[::1/x",
        "[::1]x/x",
        "[]/x",
        "host.org?x/y",
        "host.org#x/y",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(BerthImageReference) reference = berth_image_reference_parse(words[i], &error);
        g_assert_null(reference);
        g_assert_cmpstr(berth_error_id(error), ==, "image.reference");
    }
}

static void test_lengths(void)
{
    g_autofree char *tag = g_strnfill(128, 't');
    g_autofree char *good = g_strconcat("oci:a:", tag, NULL);
    g_autofree char *long_tag = g_strconcat(good, "t", NULL);
    g_autofree char *name = g_strnfill(255, 'n');
    g_autofree char *long_name = g_strconcat("oci:", name, NULL);
    g_autoptr(BerthImageReference) reference = berth_image_reference_parse(good, NULL);
    g_assert_nonnull(reference);
    g_assert_null(berth_image_reference_parse(long_tag, NULL));
    g_assert_null(berth_image_reference_parse(long_name, NULL));
}

static void test_which_words_are_images(void)
{
    static const char *const images[] = {"oci:debian", "debian:12", "a/b", "a@b", "./x", "oci:"};
    static const char *const others[] = {"Debian",    "Ubuntu-24.04", "https://a/b:1",
                                         "file:///x", "oci",          ""};
    for (gsize i = 0; i < G_N_ELEMENTS(images); i++)
        g_assert_true(berth_image_reference_is(images[i]));
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++)
        g_assert_false(berth_image_reference_is(others[i]));
}

/* Any bytes: an error or a reference that is read as the same again. */
static void test_random_words(void)
{
    static const char letters[] = "ab1.:-_/@[]Zsha256: \n";
    for (guint seed = 0; seed < 20000; seed++) {
        g_autoptr(GRand) random = g_rand_new_with_seed(seed);
        char word[24] = {0};
        guint length = (guint)g_rand_int_range(random, 0, sizeof(word));
        for (guint i = 0; i < length; i++)
            word[i] = letters[g_rand_int_range(random, 0, sizeof(letters) - 1)];
        g_autoptr(GError) error = NULL;
        g_autoptr(BerthImageReference) first = berth_image_reference_parse(word, &error);
        g_assert_true((first == NULL) == (error != NULL));
        if (first == NULL)
            continue;
        g_autofree char *all = berth_image_reference_format(first);
        g_autoptr(BerthImageReference) second = berth_image_reference_parse(all, NULL);
        g_autofree char *again = second != NULL ? berth_image_reference_format(second) : NULL;
        g_assert_cmpstr(all, ==, again);
        g_assert_null(strpbrk(all, " \n"));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/model/image-reference/parts", test_parts);
    g_test_add_func("/model/image-reference/refused", test_refused);
    g_test_add_func("/model/image-reference/lengths", test_lengths);
    g_test_add_func("/model/image-reference/which-words", test_which_words_are_images);
    g_test_add_func("/model/image-reference/random-words", test_random_words);
    return g_test_run();
}
