/* SPDX-License-Identifier: MIT */
#include "model/settings.h"
#include "model/settings_line.h"

static void test_groups_are_compared_without_case(void)
{
    g_assert_true(berth_settings_line_is_group("Berth", NULL));
    g_assert_true(berth_settings_line_is_group("distro BOX", "box"));
    g_assert_false(berth_settings_line_is_group("distro boxes", "box"));
    g_assert_false(berth_settings_line_is_group("distros box", "box"));
    g_autoptr(GError) error = NULL;
    g_autoptr(BerthSettings) settings = berth_settings_new(
        "box", "[distro BOX]\ncpus = 2\nmtu = 2000\n[distro Box]\ncpus = 3\n", "f", NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(settings->cpus, ==, 3);
    g_assert_cmpuint(settings->mtu, ==, 2000);
}

static void test_the_line_of_a_key(void)
{
    const char *text = "[berth]\ncpus=1\n[distro a]\ncpus=2\n\n[berth]\ncpus = 3\n";
    g_assert_cmpuint(berth_settings_line_of(text, "berth", "cpus"), ==, 7);
    g_assert_cmpuint(berth_settings_line_of(text, "distro a", "cpus"), ==, 4);
    g_assert_cmpuint(berth_settings_line_of(text, "distro a", "mtu"), ==, 0);
}

/* Each entry as "LINE group key=value". */
static void test_entries(void)
{
    g_auto(BerthSettingsLine) line = {
        .next = "# [no]\n[berth]\r\n\n cpus = 2 \r\nno entry\n[distro a]\nports =\nmtu=1=2"};
    g_autoptr(GString) found = g_string_new(NULL);
    while (berth_settings_line_next(&line))
        g_string_append_printf(found, "%u %s %s=%s|", line.number, line.group,
                               line.key != NULL ? line.key : "",
                               line.value != NULL ? line.value : "");
    g_assert_cmpstr(found->str, ==,
                    "2 berth =|4 berth cpus=2|6 distro a =|7 distro a ports=|8 distro a mtu=1=2|");
    g_assert_false(berth_settings_line_next(&line));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/model/settings_line/entries", test_entries);
    g_test_add_func("/model/settings_line/groups-are-compared-without-case",
                    test_groups_are_compared_without_case);
    g_test_add_func("/model/settings_line/the-line-of-a-key", test_the_line_of_a_key);
    return g_test_run();
}
