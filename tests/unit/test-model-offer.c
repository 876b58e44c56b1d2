/* SPDX-License-Identifier: MIT */
#include "model/offer.h"

#include "base/error.h"

#include <string.h>

#define A64    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LINE   "Toy\tToy-1\tToy one\t\thttps://x/a\t" A64 "\n"
#define SECOND "Toy\tToy-2\tToy two\tdefault\thttps://x/b\t0xAA" /* and 62 more digits */

static void test_lines(void)
{
    g_autoptr(GPtrArray) offers = berth_offers_new();
    g_autofree char *digits = g_strnfill(62, 'A');
    g_autofree char *text = g_strconcat(LINE, SECOND, digits, "\n", NULL);
    g_assert_true(berth_offers_add(offers, text, "a list"));
    g_assert_cmpuint(offers->len, ==, 2);
    const BerthOffer *second = offers->pdata[1];
    g_assert_cmpstr(second->sha256, ==, A64);
    g_assert_cmpstr(second->source, ==, "a list");
    g_assert_true(second->is_default);
}

static void test_mirrors(void)
{
    g_autoptr(GPtrArray) offers = berth_offers_new();
    g_assert_true(berth_offers_add(
        offers, LINE "Toy\tToy-2\tToy\t\thttps://x/a\t\thttps://y/a http://z/a\n", "a list"));
    const BerthOffer *first = offers->pdata[0], *second = offers->pdata[1];
    g_assert_cmpuint(g_strv_length(first->mirrors), ==, 0);
    g_assert_cmpuint(g_strv_length(second->mirrors), ==, 2);
    g_assert_cmpstr(second->mirrors[0], ==, "https://y/a");
    g_assert_cmpstr(second->mirrors[1], ==, "http://z/a");
}

/* One malformed line, and nothing of the list counts. */
static void test_malformed_lines(void)
{
    static const char *const lines[] = {
        "Toy\tToy-1\tToy\t\thttps://x/a\n",                /* five fields */
        "Toy\tToy-1\tToy\t\thttps://x/a\t\tmore\n",        /* a mirror without a protocol */
        "Toy\tToy-1\tToy\t\thttps://x/a\t\tfile:///x/a\n", /* a mirror on this host */
        "Toy\tToy-1\tToy\t\thttps://x/a\t\thttps://y/a  https://z/a\n", /* an empty one */
        "Toy\tToy-1\tToy\t\thttps://x/a\t\thttps://y/a\tmore\n",        /* eight fields */
        "Toy\t../Toy\tToy\t\thttps://x/a\t\n",                          /* a name with a slash */
        "\tToy-1\tToy\t\thttps://x/a\t\n",                              /* no flavour */
        "Toy\tToy-1\t\t\thttps://x/a\t\n",                              /* no title */
        "Toy\tToy-1\t\xff\t\thttps://x/a\t\n",        /* a title that is not text */
        "Toy\tToy-1\tToy\t\tftp://x/a\t\n",           /* another protocol */
        "Toy\tToy-1\tToy\t\thttps://x/a b\t\n",       /* a blank in the URL */
        "Toy\tToy-1\tToy\t\thttps://x/a\t" A64 "0\n", /* a digit too many */
        "Toy\tToy-1\tToy\t\thttps://x/a\t123\n",      /* too few */
    };
    for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autoptr(GPtrArray) offers = berth_offers_new();
        g_autofree char *text = g_strconcat(LINE, lines[i], NULL);
        g_assert_false(berth_offers_add(offers, text, "a list"));
        g_assert_cmpuint(offers->len, ==, 0);
    }
}

static void test_finding(void)
{
    static const struct {
        const char *name, *found, *hint;
    } cases[] = {
        {"toy", "Toy-2", NULL},
        {"TOY-1", "Toy-1", NULL},
        {"plain", "Plain-1", NULL},
        {"toi-1", NULL, "mean Toy-1?"},
        {"nothing", NULL, "list --online"},
    };
    g_autoptr(GPtrArray) offers = berth_offers_new();
    g_assert_true(berth_offers_add(offers,
                                   LINE "Toy\tToy-2\tToy\tdefault\thttps://x/a\t\n"
                                        "Plain\tPlain-1\tPlain\t\thttps://x/a\t\n",
                                   "a list"));
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        const BerthOffer *offer = berth_offers_find(offers, cases[i].name, &error);
        g_assert_cmpstr(offer != NULL ? offer->name : NULL, ==, cases[i].found);
        if (offer == NULL)
            g_assert_nonnull(strstr(berth_error_hint(error), cases[i].hint));
    }
}

static void test_key_files(void)
{
    static const struct {
        const char *text;
        bool ok;
    } cases[] = {
        {"[distro]\nflavour=A\nname=A-1\ntitle=A\nurl=https://x/a\n", true},
        {"[distro]\nflavour=A\nname=A-1\ntitle=A\nurl=https://x/a\nsums=http://x/s\n", true},
        {"[distro]\nflavour=A\nname=A-1\ntitle=A\nurl=https://x/a\nsha256=" A64 "\n", true},
        {"[distro]\nflavour=A\nname=A-1\ntitle=A\nurl=https://x/a\nmirrors=https://y/a;http://z/"
         "a\n",
         true},
        {"[distro]\nflavour=A\nname=A-1\ntitle=A\nurl=https://x/a\nmirrors=https://y/a;/z/a\n",
         false},
        {"[distro]\nflavour=A\nname=A-1\ntitle=A\nurl=https://x/a\nmirrors=a;a;a;a;a;a;a;a;a\n",
         false},
        {"[distro]\nflavour=A\nname=A-1\ntitle=A\nurl=https://x/a\nsha256=12\n", false},
        {"[distro]\nflavour=A\nname=A-1\ntitle=A\nurl=/x/a\n", false},
        {"[distro]\nflavour=A\nname=a b\ntitle=A\nurl=https://x/a\n", false},
        {"[distro]\nflavour=A\nname=A-1\ntitle=A\nurl=https://x/a\nunknown=1\n", false},
        {"[distro]\nflavour=A\n", false},
        {"no group\n", false},
        {"", false},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GPtrArray) offers = berth_offers_new();
        g_autoptr(GError) error = NULL;
        g_assert_cmpint(berth_offers_add_file(offers, cases[i].text, "x.conf", &error), ==,
                        cases[i].ok);
        g_assert_cmpint(error == NULL, ==, cases[i].ok);
        g_assert_cmpuint(offers->len, ==, cases[i].ok ? 1 : 0);
    }
}

static void test_sums(void)
{
    static const struct {
        const char *text;
        bool found;
    } cases[] = {
        {A64 "  root.tar\n", true},
        {"1234  other\n" A64 " *./root.tar\r\n", true},
        {"SHA256 (root.tar) = " A64 "\n", true},
        {A64 "\n", true},
        {A64 "  root.tar.xz\n", false},
        {"SHA256 (other) = " A64 "\n", false},
        {"123  root.tar\n", false},
        {"", false},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *sum = berth_offer_read_sum(cases[i].text, "https://x/deep/root.tar");
        g_assert_cmpstr(sum, ==, cases[i].found ? A64 : NULL);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/model/offer/lines", test_lines);
    g_test_add_func("/model/offer/mirrors", test_mirrors);
    g_test_add_func("/model/offer/malformed-lines", test_malformed_lines);
    g_test_add_func("/model/offer/finding", test_finding);
    g_test_add_func("/model/offer/key-files", test_key_files);
    g_test_add_func("/model/offer/sums", test_sums);
    return g_test_run();
}
