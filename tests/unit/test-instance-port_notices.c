/* SPDX-License-Identifier: MIT */
#include "instance/keeper/port_notices.h"

#include <string.h>

#define SECOND G_GINT64_CONSTANT(1000000)

/* "3000 open", "80=8080 open", "53 blocked", "53/udp open", "90 wanted", "rule 1 open" */
static void add(GPtrArray *forwards, const char *word)
{
    g_auto(GStrv) parts = g_strsplit(word, " ", 3);
    bool rule = strcmp(parts[0], "rule") == 0;
    char **rest = parts + rule;
    BerthForward *forward = g_new0(BerthForward, 1);
    char *end;
    forward->rule.protocol = strstr(rest[0], "/udp") != NULL ? BERTH_UDP : BERTH_TCP;
    forward->rule.guest_port = (guint16)strtoul(rest[0], &end, 10);
    forward->rule.host_port = forward->rule.guest_port;
    forward->host_port =
        *end == '=' ? (guint16)strtoul(end + 1, NULL, 10) : forward->rule.host_port;
    forward->origin = rule ? BERTH_ORIGIN_RULE : BERTH_ORIGIN_LISTENER;
    forward->owner = g_strdup(strcmp(rest[0], "1") == 0 ? "" : "no\033de");
    while (strcmp(berth_forward_state_word(forward->state), rest[1]) != 0)
        forward->state++;
    if (forward->state == BERTH_FORWARD_BLOCKED)
        forward->reason = g_strdup("it is taken");
    g_ptr_array_add(forwards, forward);
}

/* The notices at @second for the forwards @words, joined by "|". */
static char *update(BerthPortNotices *notices, gint64 second, const char *words)
{
    g_autoptr(GPtrArray) forwards =
        g_ptr_array_new_with_free_func((GDestroyNotify)berth_forward_free);
    g_auto(GStrv) list = g_strsplit(words, ",", -1);
    for (char **word = list; *word != NULL; word++)
        add(forwards, g_strstrip(*word));
    g_auto(GStrv) lines = berth_port_notices_update(notices, forwards, second * SECOND);
    return g_strjoinv("|", lines);
}

#define assert_lines(notices, second, words, expected)                                             \
    do {                                                                                           \
        g_autofree char *lines = update((notices), (second), (words));                             \
        g_assert_cmpstr(lines, ==, (expected));                                                    \
    } while (0)

static BerthPortNotices *up_since_zero(void)
{
    BerthPortNotices *notices = berth_port_notices_new("debian");
    berth_port_notices_set_up(notices, 0);
    return notices;
}

static void test_text_of_notices(void)
{
    g_autoptr(BerthPortNotices) notices = up_since_zero();
    assert_lines(notices, 10, "3000 open",
                 "port 3000 of debian (no?de) is on http://localhost:3000");
    assert_lines(notices, 10, "3000 open, 80=8080 open",
                 "port 80 of debian (no?de) is on http://localhost:8080");
    assert_lines(notices, 10, "3000 open, 80=8080 open, 53/udp open, 53 blocked",
                 "UDP port 53 of debian (no?de) is on localhost:53|"
                 "port 53 of debian (no?de) is not on localhost: it is taken");
    assert_lines(notices, 10, "1 open", "port 1 of debian is on http://localhost:1");
}

static void test_known_ports_give_no_notice(void)
{
    g_autoptr(BerthPortNotices) notices = berth_port_notices_new("debian");
    assert_lines(notices, 1, "22 open", ""); /* not up */
    berth_port_notices_set_up(notices, 2 * SECOND);
    assert_lines(notices, 2, "22 open, 5355 open", ""); /* just now */
    assert_lines(notices, 9, "22 open, 5355 open, 90 wanted, 91 ignored, rule 92 open", "");
    assert_lines(notices, 9, "22 open, 90 open",
                 "port 90 of debian (no?de) is on http://localhost:90");
    assert_lines(notices, 10, "22 open, 90 open", "");

    berth_port_notices_set_up(notices, -1); /* a reboot */
    assert_lines(notices, 11, "", "");
    berth_port_notices_set_up(notices, 40 * SECOND);
    assert_lines(notices, 40, "22 open, 90 open", "");
}

static void test_returning_ports_give_a_notice(void)
{
    g_autoptr(BerthPortNotices) notices = up_since_zero();
    static const char news[] = "port 3000 of debian (no?de) is on http://localhost:3000";
    assert_lines(notices, 10, "3000 open", news);
    assert_lines(notices, 100, "", "");
    assert_lines(notices, 109, "3000 wanted", "");
    assert_lines(notices, 109, "3000 open", "");
    assert_lines(notices, 200, "", "");
    assert_lines(notices, 211, "3000 open", news);

    assert_lines(notices, 212, "3000 blocked",
                 "port 3000 of debian (no?de) is not on localhost: it is taken");
    assert_lines(notices, 213, "3000 open", news);
}

static void test_many_ports_give_one_notice(void)
{
    g_autoptr(BerthPortNotices) notices = up_since_zero();
    g_autofree char *lines =
        update(notices, 10, "1 open,2 open,3 open,4 open,5 open,6 open,7 open,8 open");
    g_assert_true(
        g_str_has_suffix(lines, ":5|and 3 more ports: \"berth ports debian\" lists them"));
    g_autofree char *next = update(notices, 10, "6 open");
    g_assert_cmpstr(next, ==, "");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/instance/port_notices/text-of-notices", test_text_of_notices);
    g_test_add_func("/instance/port_notices/known-ports-give-no-notice",
                    test_known_ports_give_no_notice);
    g_test_add_func("/instance/port_notices/returning-ports-give-a-notice",
                    test_returning_ports_give_a_notice);
    g_test_add_func("/instance/port_notices/many-ports-give-one-notice",
                    test_many_ports_give_one_notice);
    return g_test_run();
}
