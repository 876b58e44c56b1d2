/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "model/settings.h"

#include <string.h>

static void test_precedence(void)
{
    const char *text =
        "[berth]\nmemory = 2G\ncpus = 3\nmtu = 1500\n[distro debian]\ncpus = 2\nmtu = 9000\n";
    const char *const environment[] = {"HOME=/", "BERTH_MTU=4000", "BERTH_BOOT_TIMEOUT=7", NULL};
    g_autoptr(GError) error = NULL;
    g_autoptr(BerthSettings) settings =
        berth_settings_new("debian", text, "berth.conf", environment, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(settings->memory, ==, G_GUINT64_CONSTANT(2) << 30);
    g_assert_cmpuint(settings->cpus, ==, 2);
    g_assert_cmpuint(settings->mtu, ==, 4000);
    g_assert_cmpuint(settings->boot_timeout_sec, ==, 7);
    g_assert_cmpuint(settings->disk_size, ==, G_GUINT64_CONSTANT(1) << 40);
    g_assert_true(settings->ports);
}

static void test_bad_files(void)
{
    static const struct {
        const char *text;
        const char *id;
        const char *word; /* the message names it */
    } cases[] = {
        {"memory = 1G\n", "config.syntax", "berth.conf"},
        {"[berth]\nmemroy = 1G\n", "config.key", "memroy"},
        {"[berth]\nmemory = lots\n", "config.value", "memory"},
        {"[berth]\ncpus = 1000\n", "config.value", "cpus"},
        {"[berth]\naccel = hvf\n", "config.value", "accel"},
        {"[berth]\nports = maybe\n", "config.value", "ports"},
        {"[berth]\nports-ignore = 22,x\n", "config.value", "ports-ignore: \"x\" is not a port"},
        {"[berth]\nports-ignore = 0\n", "config.value", "ports-ignore"},
        {"[berth]\nports-udp = 5353-5360\n", "config.value", "ports-udp"},
        {"[berth]\nports-notify = sometimes\n", "config.value", "ports-notify"},
        {"[berth]\npublish = 0.0.0.0\n", "config.value", "publish"},
        {"[distro debian]\npublish = 80; 1.2.3:80:80\n", "config.value", "1.2.3:80:80"},
        {"[distro debian]\nmtu = 12\n", "config.value", "mtu"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(berth_settings_new("debian", cases[i].text, "berth.conf", NULL, &error));
        g_assert_cmpstr(berth_error_id(error), ==, cases[i].id);
        g_assert_nonnull(strstr(error->message, cases[i].word));
    }
}

static void test_groups_of_other_distros_are_ignored(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(BerthSettings) settings =
        berth_settings_new("debian", "[distro arch]\ncpus = 9\n", "berth.conf", NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(settings->cpus, ==, 0);
}

static void test_every_key_round_trips(void)
{
    g_autoptr(BerthSettings) settings = berth_settings_new(NULL, NULL, NULL, NULL, NULL);
    for (const BerthField *field = berth_settings_fields; field->name != NULL; field++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *text = berth_field_format(field, settings);
        g_assert_true(berth_field_parse(field, settings, text, &error));
        g_assert_no_error(error);
        g_assert_nonnull(field->help);
        g_autofree char *again = berth_field_format(field, settings);
        g_assert_cmpstr(text, ==, again);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/model/settings/precedence", test_precedence);
    g_test_add_func("/model/settings/bad-files", test_bad_files);
    g_test_add_func("/model/settings/groups-of-other-distros-are-ignored",
                    test_groups_of_other_distros_are_ignored);
    g_test_add_func("/model/settings/every-key-round-trips", test_every_key_round_trips);
    return g_test_run();
}
