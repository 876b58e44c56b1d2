/* SPDX-License-Identifier: MIT */
#include "disk/file/status.h"

#include "base/error.h"

#include <string.h>
#include <unistd.h>

/* Feed @text in pieces of @step bytes. */
static bool feed(BerthImageStatus *status, const char *text, gsize size, gsize step, GError **error)
{
    for (gsize at = 0; at < size; at += step)
        if (!berth_image_status_feed(status, text + at, MIN(step, size - at), error))
            return false;
    return true;
}

static void test_round_trip(void)
{
    int ends[2];
    g_assert_cmpint(pipe(ends), ==, 0);
    g_autoptr(GError) problem = NULL;
    berth_error_set(&problem, BERTH_ERROR_NO_SPACE, "import.unpack.no-space", "free some",
                    "unpack usr/b\tin\n: no space");
    const BerthProgress progress = {
        .bytes_done = 5, .bytes_total = G_MAXUINT64, .entries = 7, .ready = 9};
    const guint64 numbers[] = {1, 0, G_MAXUINT64};
    g_assert_true(berth_image_status_send_progress(ends[1], &progress));
    g_assert_true(berth_image_status_send_warning(ends[1], "two\nlines \xff and \x1b[31m red"));
    g_assert_true(berth_image_status_send_report(ends[1], numbers, 3));
    g_assert_true(berth_image_status_send_error(ends[1], problem));
    close(ends[1]);
    char text[4096];
    ssize_t size = read(ends[0], text, sizeof(text));
    g_assert_cmpint(size, >, 0);
    close(ends[0]);

    for (gsize step = 1; step <= (gsize)size; step += step) {
        g_auto(BerthImageStatus) status = {0};
        g_autoptr(GError) error = NULL;
        berth_image_status_init(&status);
        g_assert_true(feed(&status, text, (gsize)size, step, &error));
        g_assert_no_error(error);
        g_assert_cmpuint(status.progress.bytes_done, ==, 5);
        g_assert_cmpuint(status.progress.bytes_total, ==, G_MAXUINT64);
        g_assert_cmpuint(status.progress.entries, ==, 7);
        g_assert_cmpuint(status.progress.ready, ==, 9);
        g_assert_cmpuint(status.warnings->len, ==, 1);
        g_assert_cmpstr(status.warnings->pdata[0], ==, "two?lines \xef\xbf\xbd and ?[31m red");
        g_assert_true(status.has_report);
        g_assert_cmpuint(status.report[2], ==, G_MAXUINT64);
        g_assert_cmpuint(status.report[3], ==, 0);
        g_assert_error(status.error, BERTH_ERROR, BERTH_ERROR_NO_SPACE);
        g_assert_cmpstr(berth_error_id(status.error), ==, "import.unpack.no-space");
        g_assert_cmpstr(berth_error_hint(status.error), ==, "free some");
        g_assert_cmpstr(status.error->message, ==, "unpack usr/b?in?: no space");
    }
}

/* Invalid bytes are rejected. */
static void test_refuses(void)
{
    static const char *const lines[] = {
        "\n",
        "progress\n",
        "progress 1 2\n",
        "progress 1 2 3 4 5\n",
        "progress 1 2 -3\n",
        "progress 1  2 3\n",
        "progress 18446744073709551616 0 0\n",
        "report \n",
        "report 1 2 3 4 5 6 7 8 9\n",
        "report 1\nreport 1\n",
        "error 1\tid\thint\n",
        "error 1\tid\thint\tmessage\tmore\n",
        "error x\tid\thint\tmessage\n",
        "error 1\tI D\thint\tmessage\n",
        "error 1\t\thint\tmessage\n",
        "error 1\ta\t\tb\nerror 1\ta\t\tb\n",
        "unknown 1\n",
        "WARNING x\n",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_auto(BerthImageStatus) status = {0};
        g_autoptr(GError) error = NULL;
        berth_image_status_init(&status);
        g_assert_false(feed(&status, lines[i], strlen(lines[i]), 3, &error));
        g_assert_error(error, BERTH_ERROR, BERTH_ERROR_PROTOCOL);
        g_assert_cmpstr(berth_error_id(error), ==, "import.worker.protocol");
    }
}

static void test_refuses_nul(void)
{
    g_auto(BerthImageStatus) status = {0};
    berth_image_status_init(&status);
    g_assert_false(berth_image_status_feed(&status, "warning a\0b\n", 12, NULL));
}

static void test_bounds(void)
{
    g_auto(BerthImageStatus) status = {0};
    berth_image_status_init(&status);
    for (guint i = 0; i < BERTH_IMAGE_STATUS_WARNINGS + 50; i++)
        g_assert_true(berth_image_status_feed(&status, "warning again\n", 14, NULL));
    g_assert_cmpuint(status.warnings->len, ==, BERTH_IMAGE_STATUS_WARNINGS);
    g_assert_cmpuint(status.warnings_left_out, ==, 50);

    g_autofree char *endless = g_strnfill(BERTH_IMAGE_STATUS_LINE_MAX + 1, 'w');
    g_assert_false(
        berth_image_status_feed(&status, endless, BERTH_IMAGE_STATUS_LINE_MAX + 1, NULL));
    g_assert_cmpuint(status.partial->len, <=, BERTH_IMAGE_STATUS_LINE_MAX);
}

static void test_text_is_printable(void)
{
    const char *line = "error 99\tid\t\t\xff\x1b]0;x\a \xe2\x80\xae"
                       "dlrow \xc2\x9b"
                       "31m\n";
    g_auto(BerthImageStatus) status = {0};
    berth_image_status_init(&status);
    g_assert_true(berth_image_status_feed(&status, line, strlen(line), NULL));
    g_assert_error(status.error, BERTH_ERROR, BERTH_ERROR_FAILED); /* the code 99 does not exist */
    g_assert_null(berth_error_hint(status.error));
    g_assert_cmpstr(status.error->message, ==, "\xef\xbf\xbd?]0;x? ???dlrow ??31m");
}

/* Random input gives true or an error. */
static void test_noise(void)
{
    static const char *const words[] = {"progress ", "warning ", "report ", "error ", "\n", "\t",
                                        " ",         "1",        "18",      "-",      "id", "\xc3"};
    for (guint round = 0; round < 20000; round++) {
        g_auto(BerthImageStatus) status = {0};
        g_autoptr(GError) error = NULL;
        g_autoptr(GString) text = g_string_new(NULL);
        for (int i = g_test_rand_int_range(1, 30); i > 0; i--) {
            if (g_test_rand_int_range(0, 8) == 0)
                g_string_append_c(text, (char)g_test_rand_int_range(0, 256));
            else
                g_string_append(text, words[g_test_rand_int_range(0, G_N_ELEMENTS(words))]);
        }
        berth_image_status_init(&status);
        bool ok = feed(&status, text->str, text->len, (gsize)g_test_rand_int_range(1, 40), &error);
        g_assert_true(ok == (error == NULL));
        for (guint i = 0; i < status.warnings->len; i++)
            g_assert_true(g_utf8_validate(status.warnings->pdata[i], -1, NULL));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/disk/status/round-trip", test_round_trip);
    g_test_add_func("/disk/status/refuses", test_refuses);
    g_test_add_func("/disk/status/refuses-nul", test_refuses_nul);
    g_test_add_func("/disk/status/bounds", test_bounds);
    g_test_add_func("/disk/status/text-is-printable", test_text_is_printable);
    g_test_add_func("/disk/status/noise", test_noise);
    return g_test_run();
}
