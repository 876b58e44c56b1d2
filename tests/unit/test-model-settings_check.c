/* SPDX-License-Identifier: MIT */
#include "model/settings.h"
#include "model/settings_check.h"

static const struct {
    const char *text;
    const char *warnings; /* beginnings, separated by "|" */
} cases[] = {
    {"", ""},
    {"[berth]\ncpus = 2\n[distro debian]\ncpus=3\n", ""},
    {"[BERTH]\ncpus = 2\n[Distro Debian]\ncpus=3\n", ""},
    {"[distro wsl.localhost]\n[distro later]\n", ""},
    {"# [distros a]\n\n  # x = 1\n[berth]\n", ""},
    {"[distros a]\ncpus = 2\nfoo = 3\n",
     "f:1: unknown group \"distros a\": did you mean [distro a]?"},
    {"\n\n[berth]\n[distro]\n", "f:4: unknown group \"distro\": "},
    {"[distro ]\n", "f:1: unknown group \"distro \": groups are"},
    {"[distro a b]\n", "f:1: unknown group \"distro a b\": groups are"},
    {"[distro a]\r\ncpsu = 2\r\n", "f:2: unknown key \"cpsu\" in [distro a]: did you mean cpus?"},
    {"[distro a]\ncpus = 1000\n", "f:2: cpus: \"1000\" is not allowed"},
    {"[distro a]\ncpus = 2\n[distro b]\ncpus = 3\n[distro A]\ncpus = 4\n",
     "f:6: \"cpus\" replaces the value of line 2 in the same group"},
    {"[distro a]\ncache-size = 1G\n[berth]\ncache-size = 2G\n",
     "f:2: \"cache-size\" applies to all distros"},
    {"[bert]\n\n[distor]\n", "f:1: unknown group \"bert\": did you mean [berth]?|f:3: unknown "
                             "group \"distor\": groups are"},
    {"[x]\n[berth]\nfoo=1\n[y]", "f:1: unknown group \"x\": |f:3: unknown key \"foo\" in [berth]: "
                                 "\"berth config\" lists the keys|f:4: unknown group \"y\": "},
};

static void test_lines_without_effect_are_named(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%s", cases[i].text);
        g_auto(GStrv) found = berth_settings_check(cases[i].text, "f");
        g_auto(GStrv) wanted = g_strsplit(cases[i].warnings, "|", -1);
        g_assert_cmpuint(g_strv_length(found), ==, g_strv_length(wanted));
        for (gsize k = 0; wanted[k] != NULL; k++)
            if (!g_str_has_prefix(found[k], wanted[k]))
                g_assert_cmpstr(found[k], ==, wanted[k]);
    }
}

static void test_variables_without_effect_are_named(void)
{
    static const char *const environment[] = {"BERTH_MEMORY=1G",
                                              "BERTH_MEMROY=1G",
                                              "BERTH_SUPPORT_DIR=/x",
                                              "BERTH_ENV=A:B",
                                              "BERTH_TEST_X=1",
                                              "BERTHING=1",
                                              "BERTH_=",
                                              "BERTH_CACHE_SIZE",
                                              "BERTH_DISTRO=a",
                                              NULL};
    g_auto(GStrv) found = berth_settings_check_environment(environment);
    g_assert_cmpuint(g_strv_length(found), ==, 2);
    g_assert_true(g_str_has_prefix(
        found[0], "environment: BERTH_MEMROY is not a setting: did you mean BERTH_MEMORY?"));
    g_assert_true(g_str_has_prefix(
        found[1], "environment: BERTH_ is not a setting: \"berth config\" lists the keys"));
}

static void test_a_distro_has_no_cache_of_its_own(void)
{
    g_autoptr(BerthSettings) settings = berth_settings_new(
        "a", "[distro a]\ncache-size = 1G\n[berth]\ncache-size = 2G\n", "f", NULL, NULL);
    g_assert_cmpuint(settings->cache_size, ==, G_GUINT64_CONSTANT(2) << 30);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/model/settings_check/environment", test_variables_without_effect_are_named);
    g_test_add_func("/model/settings_check/shared", test_a_distro_has_no_cache_of_its_own);
    g_test_add_func("/model/settings_check/lines-without-effect-are-named",
                    test_lines_without_effect_are_named);
    return g_test_run();
}
