/* SPDX-License-Identifier: MIT */
#include "fetch/response.h"

#include <string.h>

static void feed(BerthFetchResponse *response, const char *const *lines)
{
    for (; *lines != NULL; lines++)
        berth_fetch_response_feed(response, *lines, strlen(*lines));
}

static void test_versions(void)
{
    static const struct {
        const char *lines[4];
        const char *version;
    } cases[] = {
        {{"HTTP/1.1 200 OK\r\n", "ETag: \"a\"\r\n"}, "\"a\""},
        {{"HTTP/2 200\r\n", "etag:\"a\"\r\n", "last-modified: Mon\r\n"}, "\"a\""},
        {{"HTTP/1.1 200 OK\r\n", "ETag: W/\"a\"\r\n", "Last-Modified: Mon, 1\r\n"}, "Mon, 1"},
        {{"HTTP/1.1 200 OK\r\n", "ETag: W/\"a\"\r\n"}, NULL},
        {{"HTTP/1.1 200 OK\r\n", "ETag: \"\r\n"}, NULL},
        {{"HTTP/1.1 200 OK\r\n", "no colon\r\n"}, NULL},
        {{"HTTP/1.1 302 Found\r\n", "ETag: \"a\"\r\n", "HTTP/1.1 200 OK\r\n"}, NULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(BerthFetchResponse) response = {0};
        feed(&response, cases[i].lines);
        g_assert_cmpstr(berth_fetch_response_version(&response), ==, cases[i].version);
    }
}

static void test_ranges(void)
{
    static const struct {
        const char *value;
        bool has_range;
        guint64 first, total;
    } cases[] = {
        {"bytes 500-999/1000", true, 500, 1000},
        {"bytes 500-999/*", true, 500, 0},
        {"bytes */1000", false, 0, 0},
        {"bytes -1-999/1000", false, 0, 0},
        {"bytes 99999999999999999999-1/2", false, 0, 0},
        {"items 500-999/1000", false, 0, 0},
        {"", false, 0, 0},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(BerthFetchResponse) response = {0};
        g_autofree char *line = g_strdup_printf("Content-Range: %s\r\n", cases[i].value);
        berth_fetch_response_feed(&response, line, strlen(line));
        g_assert_cmpint(response.has_range, ==, cases[i].has_range);
        if (!cases[i].has_range)
            continue;
        g_assert_cmpuint(response.first, ==, cases[i].first);
        g_assert_cmpuint(response.total, ==, cases[i].total);
    }
}

/* A later, malformed header of the same name leaves nothing of the former. */
static void test_repetition(void)
{
    static const char *const lines[] = {"Content-Range: bytes 5-9/10\r\n", "Content-Range: x\r\n",
                                        "ETag: \"a\"\r\n", "ETag: b\r\n", NULL};
    g_auto(BerthFetchResponse) response = {0};
    feed(&response, lines);
    g_assert_false(response.has_range);
    g_assert_null(berth_fetch_response_version(&response));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fetch/response/versions", test_versions);
    g_test_add_func("/fetch/response/ranges", test_ranges);
    g_test_add_func("/fetch/response/repetition", test_repetition);
    return g_test_run();
}
