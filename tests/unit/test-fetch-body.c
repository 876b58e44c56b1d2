/* SPDX-License-Identifier: MIT */
#include "fetch/body.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" /* FIPS 180-2 */

static bool append(BerthFetchBody *body, const char *text, GError **error)
{
    return berth_fetch_body_append(body, text, strlen(text), error);
}

static void test_digest(void)
{
    guint8 digest[BERTH_SHA256_SIZE];
    g_auto(BerthFetchBody) body;
    berth_fetch_body_init(&body, -1, 0);
    g_assert_true(append(&body, "a", NULL) && append(&body, "bc", NULL));
    g_assert_true(berth_fetch_body_finish(&body, "0x" ABC, digest, NULL));
    g_assert_cmpuint(digest[0], ==, 0xba);
    g_assert_cmpuint(digest[31], ==, 0xad);

    g_autoptr(GError) error = NULL;
    g_assert_false(berth_fetch_body_finish(&body, "0x" ABC "00", digest, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "fetch.digest");
}

static void test_restart(void)
{
    guint8 digest[BERTH_SHA256_SIZE];
    g_auto(BerthFetchBody) body;
    FILE *file = tmpfile();
    berth_fetch_body_init(&body, fileno(file), 0);
    g_assert_true(append(&body, "something else", NULL));
    g_assert_true(berth_fetch_body_restart(&body, NULL));
    g_assert_true(append(&body, "abc", NULL));
    g_assert_true(berth_fetch_body_finish(&body, ABC, digest, NULL));
    char text[16];
    g_assert_cmpint(pread(fileno(file), text, sizeof(text), 0), ==, 3);
    fclose(file);
}

/* The first bytes decide, however they are divided. */
static void test_web_pages(void)
{
    static const struct {
        const char *text;
        bool is_page;
    } cases[] = {{"<!DOCTYPE html><title>", true},
                 {"\n\t <HtMl lang=en>", true},
                 {"<!doctype xml>", false},
                 {"{\"html\": \"<html\"}", false},
                 {"x<html>", false}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        for (gsize step = 1; step < 30; step++) {
            g_auto(BerthFetchBody) body;
            berth_fetch_body_init(&body, -1, 0);
            g_autoptr(GError) error = NULL;
            bool ok = true;
            for (gsize at = 0; ok && at < strlen(cases[i].text); at += step)
                ok = berth_fetch_body_append(&body, cases[i].text + at,
                                             MIN(step, strlen(cases[i].text + at)), &error);
            g_assert_cmpint(ok, ==, !cases[i].is_page);
            if (!ok)
                g_assert_cmpstr(berth_error_id(error), ==, "fetch.web-page");
        }
}

static void test_size_limit(void)
{
    g_auto(BerthFetchBody) body;
    g_autoptr(GError) error = NULL;
    berth_fetch_body_init(&body, -1, 4);
    g_assert_true(append(&body, "abcd", NULL));
    g_assert_false(append(&body, "e", &error));
    g_assert_cmpstr(berth_error_id(error), ==, "fetch.too-big");
    g_assert_cmpuint(body.size, ==, 4);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fetch/body/digest", test_digest);
    g_test_add_func("/fetch/body/restart", test_restart);
    g_test_add_func("/fetch/body/web-pages", test_web_pages);
    g_test_add_func("/fetch/body/size-limit", test_size_limit);
    return g_test_run();
}
