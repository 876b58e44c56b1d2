/* SPDX-License-Identifier: MIT */
#include "model/settings.h"
#include "model/settings_edit.h"

#include <stdbool.h>

static const struct {
    const char *text, *distro, *key, *value;
    const char *edited;
} cases[] = {
    /* a new key, group, file */
    {"", NULL, "cpus", "2", "[berth]\ncpus = 2\n"},
    {"", "debian", "cpus", "2", "[distro debian]\ncpus = 2\n"},
    {"[berth]\n", NULL, "cpus", "2", "[berth]\ncpus = 2\n"},
    {"[berth]", NULL, "cpus", "2", "[berth]\ncpus = 2\n"},
    {"[berth]\nmtu=3000", NULL, "cpus", "2", "[berth]\nmtu=3000\ncpus = 2\n"},
    {"# only this", NULL, "cpus", "2", "# only this\n\n[berth]\ncpus = 2\n"},
    {"[berth]\nmtu=3000\n\n# of debian\n[distro debian]\n", NULL, "cpus", "2",
     "[berth]\nmtu=3000\ncpus = 2\n\n# of debian\n[distro debian]\n"},
    {"[berth]\nmtu=3000\n", "debian", "cpus", "2",
     "[berth]\nmtu=3000\n\n[distro debian]\ncpus = 2\n"},
    {"[Distro DEBIAN]\nmtu=3000\n", "debian", "cpus", "2", "[Distro DEBIAN]\nmtu=3000\ncpus = 2\n"},
    /* a changed one keeps its place and form */
    {"[berth]\n # a\n  cpus=1\nmtu=3000\n", NULL, "cpus", "2",
     "[berth]\n # a\n  cpus=2\nmtu=3000\n"},
    {"[berth]\ncpus\t= \t1  ", NULL, "cpus", "2", "[berth]\ncpus\t= \t2"},
    {"[berth]\n#cpus = 1\nxyz=1\n", NULL, "cpus", "2", "[berth]\n#cpus = 1\nxyz=1\ncpus = 2\n"},
    {"[berth]\ncpus = 1\n[distro a]\ncpus = 3\n", "a", "cpus", "2",
     "[berth]\ncpus = 1\n[distro a]\ncpus = 2\n"},
    {"[berth]\ncpus =\n", NULL, "cpus", "2", "[berth]\ncpus =2\n"},
    /* carriage returns and a mark */
    {"[berth]\r\ncpus = 1\r\nmtu=3000\r\n", NULL, "cpus", "2",
     "[berth]\r\ncpus = 2\r\nmtu=3000\r\n"},
    {"[berth]\r\n", NULL, "cpus", "2", "[berth]\r\ncpus = 2\r\n"},
    {"\xEF\xBB\xBF[berth]\ncpus = 1\n", NULL, "cpus", "2", "\xEF\xBB\xBF[berth]\ncpus = 2\n"},
    {"\xEF\xBB\xBF", NULL, "cpus", "2", "\xEF\xBB\xBF[berth]\ncpus = 2\n"},
    /* duplicates: the last one stays */
    {"[berth]\ncpus = 1\nmtu=3000\ncpus = 4\n", NULL, "cpus", "2", "[berth]\nmtu=3000\ncpus = 2\n"},
    {"[berth]\ncpus = 1\n[BERTH]\ncpus = 4\n[berth]\nmtu=3000\n", NULL, "cpus", "2",
     "[berth]\n[BERTH]\ncpus = 2\n[berth]\nmtu=3000\n"},
    /* without it */
    {"", NULL, "cpus", NULL, ""},
    {"[berth]\nmtu=3000\n", NULL, "cpus", NULL, "[berth]\nmtu=3000\n"},
    {"[berth]\ncpus = 1\n# a\ncpus = 4\n", NULL, "cpus", NULL, "[berth]\n# a\n"},
    {"[berth]\ncpus = 1\n[distro a]\ncpus = 3\n", "a", "cpus", NULL,
     "[berth]\ncpus = 1\n[distro a]\n"},
    /* values that a key file must escape */
    {"", NULL, "kernel", " a\\b\tc\nd", "[berth]\nkernel = \\sa\\\\b\tc\\nd\n"},
    {"", NULL, "kernel", "", "[berth]\nkernel = \n"},
};

static void test_one_line_changes(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *edited =
            berth_settings_edit(cases[i].text, cases[i].distro, cases[i].key, cases[i].value);
        g_assert_cmpstr(edited, ==, cases[i].edited);
        g_autofree char *value = berth_settings_lookup(edited, cases[i].distro, cases[i].key);
        g_assert_cmpstr(value, ==, cases[i].value);
        g_assert_true(berth_settings_has(edited, cases[i].distro, cases[i].key) ==
                      (cases[i].value != NULL));
    }
}

static void test_a_value_that_was_there_is_no_change(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *again =
            berth_settings_edit(cases[i].edited, cases[i].distro, cases[i].key, cases[i].value);
        g_assert_cmpstr(again, ==, cases[i].edited);
    }
}

static void test_lines_are_traced(void)
{
    static const char text[] =
        "\xEF\xBB\xBF[berth]\ncpus=1\ncpus=2\nmtu=3000\n[distro a]\nmtu=4000\n";
    static const char *const environment[] = {"BERTH_LOG_SIZE=1M", NULL};
    static const struct {
        const char *key;
        BerthSettingFrom from;
        guint line;
    } origins[] = {{"cpus", BERTH_SETTING_FROM_FILE, 3},
                   {"mtu", BERTH_SETTING_FROM_DISTRO, 6},
                   {"log-size", BERTH_SETTING_FROM_ENVIRONMENT, 0},
                   {"memory", BERTH_SETTING_FROM_DEFAULT, 0}};
    g_autofree BerthSettingOrigin *found = berth_setting_origins_new();
    g_autoptr(BerthSettings) settings =
        berth_settings_trace("A", text, "f", environment, found, NULL);
    g_assert_nonnull(settings);
    for (gsize i = 0; i < G_N_ELEMENTS(origins); i++) {
        const BerthField *field = berth_field_find(berth_settings_fields, origins[i].key);
        BerthSettingOrigin origin = found[field - berth_settings_fields];
        g_assert_cmpint(origin.from, ==, origins[i].from);
        g_assert_cmpuint(origin.line, ==, origins[i].line);
    }
}

static void test_a_bad_line_is_named(void)
{
    static const struct {
        const char *text, *place;
    } bad[] = {{"x = 1\n[berth]\n", "f:1: "},
               {"[berth]\nmtu = 3000\nwhat\n", "f:3: "},
               {"# a\n\n[berth\n", "f:3: "},
               {"[berth]\n[x]y\n", "f:2: "}};
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(berth_settings_parse(bad[i].text, "f", &error));
        if (!g_str_has_prefix(error->message, bad[i].place))
            g_assert_cmpstr(error->message, ==, bad[i].place);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/settings_edit/one-line-changes", test_one_line_changes);
    g_test_add_func("/settings_edit/no-change", test_a_value_that_was_there_is_no_change);
    g_test_add_func("/settings_edit/traced", test_lines_are_traced);
    g_test_add_func("/settings_edit/bad-line", test_a_bad_line_is_named);
    return g_test_run();
}
