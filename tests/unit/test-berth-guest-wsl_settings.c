/* SPDX-License-Identifier: MIT */
#include "distro/wsl_settings.h"

#include <glib.h>
#include <string.h>

typedef struct {
    Settings settings;
    GString *warnings;
} Fixture;

static void note(void *data, const char *text)
{
    g_string_append_printf(data, "%s\n", text);
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    settings_init(&fixture->settings);
    fixture->warnings = g_string_new(NULL);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    settings_clear(&fixture->settings);
    g_string_free(fixture->warnings, TRUE);
}

static void parse(Fixture *fixture, const char *path, const char *text)
{
    g_autofree char *copy = g_strdup(text);
    settings_parse(&fixture->settings, path, copy, note, fixture->warnings);
}

static void test_every_key(Fixture *fixture, gconstpointer data)
{
    parse(fixture, "wsl.conf",
          "# made by hand\n"
          "[automount]\nmountFsTab = false\n"
          "[boot]\nsystemd=FALSE\ncommand = service docker start\ninitTimeout=0x2710\n"
          "[user]\ndefault=alice\n"
          "[network]\ngenerateHosts=0\ngenerateResolvConf = False\nhostname = my.host\n"
          "[filesystem]\numask=0027\n"
          "[time]\nuseWindowsTimezone=false\n"
          "[oobe]\ncommand=/usr/lib/wsl/setup\ndefaultUid=1000\n");
    const Settings *settings = &fixture->settings;
    g_assert_cmpstr(fixture->warnings->str, ==, "");
    g_assert_false(settings->mount_fstab);
    g_assert_false(settings->systemd);
    g_assert_false(settings->generate_hosts);
    g_assert_false(settings->generate_resolv_conf);
    g_assert_false(settings->follow_zone);
    g_assert_cmpstr(settings->command, ==, "service docker start");
    g_assert_cmpuint(settings->init_timeout_msec, ==, 10000);
    g_assert_cmpstr(settings->user, ==, "alice");
    g_assert_cmpstr(settings->hostname, ==, "my.host");
    g_assert_cmpuint(settings->umask, ==, 027);
    g_assert_cmpstr(settings->oobe_command, ==, "/usr/lib/wsl/setup");
    g_assert_cmpuint(settings->oobe_uid, ==, 1000);
}

static void test_keys_of_common_images_are_known(Fixture *fixture, gconstpointer data)
{
    parse(fixture, "wsl.conf",
          "[automount]\nenabled=true\nroot=/mnt\noptions=\"metadata,umask=22\"\ncgroups=v2\n"
          "[interop]\nenabled=false\nappendWindowsPath=false\n[gpu]\nenabled=true\n"
          "[boot]\nprotectBinfmt=false\n[general]\nguiApplications=false\n");
    parse(fixture, "wsl-distribution.conf",
          "[oobe]\ndefaultName=Ubuntu\n[shortcut]\nicon=/a.ico\n"
          "[windowsterminal]\nProfileTemplate=/b.json\n");
    g_assert_cmpstr(fixture->warnings->str, ==, "");
    g_assert_true(fixture->settings.systemd);
}

static void test_first_file_wins_key_by_key(Fixture *fixture, gconstpointer data)
{
    parse(fixture, "berth.conf", "[boot]\nsystemd=false\n[user]\ndefault=bob\n");
    parse(fixture, "wsl.conf", "[boot]\nsystemd=true\ncommand=date\n[user]\ndefault=alice\n");
    g_assert_cmpstr(fixture->warnings->str, ==, "");
    g_assert_false(fixture->settings.systemd);
    g_assert_cmpstr(fixture->settings.command, ==, "date");
    g_assert_cmpstr(fixture->settings.user, ==, "bob");
}

typedef struct {
    const char *name;
    const char *text;
    const char *warnings;
} Case;

static const Case bad[] = {
    {"unknown key", "[boot]\nfoo=1\n", "f:2: unknown key boot.foo\n"},
    {"mistyped key", "[boot]\ncomand=x\n[network]\nGenerateHost=1\n",
     "f:2: unknown key boot.comand: did you mean command?\n"
     "f:4: unknown key network.GenerateHost: did you mean generateHosts?\n"},
    {"mistyped section", "[netwrok]\na=1\n",
     "f:1: unknown section [netwrok]: did you mean [network]?\n"},
    {"unknown section", "[foo]\na=1\nb=2\n", "f:1: unknown section [foo]\n"},
    {"no section", "systemd=true\n", "f:1: systemd is in no section\n"},
    {"bool", "[boot]\nsystemd=yes\n", "f:2: boot.systemd is true or false, not \"yes\"\n"},
    {"empty bool", "[boot]\nsystemd=\n", "f:2: boot.systemd is true or false, not \"\"\n"},
    {"number", "[boot]\ninitTimeout=ten\n",
     "f:2: boot.initTimeout is a number up to 2147483647, not \"ten\"\n"},
    {"unit", "[boot]\ninitTimeout=10s\n",
     "f:2: boot.initTimeout is a number up to 2147483647, not \"10s\"\n"},
    {"negative", "[boot]\ninitTimeout=-1\n",
     "f:2: boot.initTimeout is a number up to 2147483647, not \"-1\"\n"},
    {"too large", "[filesystem]\numask=01000\n",
     "f:2: filesystem.umask is a number up to 511, not \"01000\"\n"},
    {"no octal", "[filesystem]\numask=089\n",
     "f:2: filesystem.umask is a number up to 511, not \"089\"\n"},
    {"no =", "[boot]\nsystemd true\n", "f:2: expected =\n"},
    {"no name", "[boot]\n=true\n", "f:2: a key begins with a letter\n"},
    {"digit", "[boot]\n1=true\n", "f:2: a key begins with a letter\n"},
    {"section without a name", "[]\n", "f:1: a section's name begins with a letter\n"},
    {"section without an end", "[boot\n", "f:1: expected ]\n"},
    {"section and more", "[boot] x\n", "f:1: nothing but a comment can follow a section\n"},
    {"escape", "[boot]\ncommand=a\\qb\n", "f:2: unknown escape \\q\n"},
    {"escape at the end", "[boot]\ncommand=a\\", "f:2: unknown escape \\?\n"},
    {"quote", "[boot]\ncommand=\"a\n[user]\ndefault=bob\n",
     "f:2: a quotation mark is not closed\n"},
    {"twice", "[boot]\nsystemd=true\nSystemd=false\n",
     "f:3: boot.systemd is already set in line 2: this line is ignored\n"},
    {"after a continuation", "[boot]\ncommand=a \\\nb\nfoo=1\n", "f:4: unknown key boot.foo\n"},
    {"in CRLF", "[boot]\r\nfoo=1\r\n\r\n[bar]\r\n",
     "f:2: unknown key boot.foo\nf:4: unknown section [bar]\n"},
};

static void test_warnings_name_the_line(Fixture *fixture, gconstpointer data)
{
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_test_message("%s", bad[i].name);
        settings_clear(&fixture->settings);
        g_string_truncate(fixture->warnings, 0);
        parse(fixture, "f", bad[i].text);
        g_assert_cmpstr(fixture->warnings->str, ==, bad[i].warnings);
        g_assert_true(fixture->settings.systemd); /* the default, or the first of two values */
        g_assert_cmpuint(fixture->settings.umask, ==, 022);
    }
}

static const Case values[] = {
    {"plain", "date", "date"},
    {"spaces", " \t a  b \t", "a  b"},
    {"comment", "date # now", "date"},
    {"quoted", "\" a # b \"", " a # b "},
    {"partly quoted", "a\" b \"c", "a b c"},
    {"escapes", "\\\"a\\\"\\\\\\n\\t\\b", "\"a\"\\\n\t\b"},
    {"an escape is kept at the end", "a\\t", "a\t"},
    {"continued", "a \\\n b", "a  b"},
    {"continued in CRLF", "a \\\r\nb\r", "a b"},
    {"equals", "A=1 b=2", "A=1 b=2"},
    {"no ASCII", "\xc3\xa4\xff", "\xc3\xa4\xff"},
    {"nothing", "", NULL},
    {"nothing quoted", "\"\"", NULL},
};

static void test_values(Fixture *fixture, gconstpointer data)
{
    for (gsize i = 0; i < G_N_ELEMENTS(values); i++) {
        g_autofree char *text =
            g_strdup_printf(" [ boot ]\n[Boot] # ours\n COMMAND\t=%s\n", values[i].text);
        g_test_message("%s", values[i].name);
        settings_clear(&fixture->settings);
        parse(fixture, "f", text + strlen(" [ boot ]\n"));
        g_assert_cmpstr(fixture->settings.command, ==, values[i].warnings);
    }
    g_assert_cmpstr(fixture->warnings->str, ==, "");
}

static void test_byte_order_mark(Fixture *fixture, gconstpointer data)
{
    parse(fixture, "f", "\xef\xbb\xbf[boot]\r\nsystemd=false");
    g_assert_cmpstr(fixture->warnings->str, ==, "");
    g_assert_false(fixture->settings.systemd);
}

static void test_host_names(void)
{
    static const char *const names[][2] = {
        {"debian", "debian"},
        {"Debian-12", "Debian-12"},
        {"my.host.lan", "my.host.lan"},
        {"", "localhost"},
        {"-", "localhost"},
        {".-.", "localhost"},
        {"_ _", "localhost"},
        {"-a-", "a"},
        {".a.", "a"},
        {"a..b", "a.b"},
        {"a-.b", "a.b"},
        {"a.-b", "a.b"},
        {"a--b", "a--b"},
        {"my_host", "myhost"},
        {"a b", "ab"},
        {"\xc3\xa4"
         "b",
         "b"},
        {"a-.", "a"},
        {"0123456789012345678901234567890123456789012345678901234567890123456789",
         "0123456789012345678901234567890123456789012345678901234567890123"},
        {"012345678901234567890123456789012345678901234567890123456789012-x",
         "012345678901234567890123456789012345678901234567890123456789012"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        char clean[SETTINGS_HOSTNAME_MAX + 1];
        settings_clean_hostname(names[i][0], clean);
        g_assert_cmpstr(clean, ==, names[i][1]);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*test)(Fixture *fixture, gconstpointer data);
    } tests[] = {
        {"/settings/every-key", test_every_key},
        {"/settings/keys-of-common-images-are-known", test_keys_of_common_images_are_known},
        {"/settings/first-file-wins-key-by-key", test_first_file_wins_key_by_key},
        {"/settings/warnings-name-the-line", test_warnings_name_the_line},
        {"/settings/values", test_values},
        {"/settings/byte-order-mark", test_byte_order_mark},
    };
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
    g_test_add_func("/settings/host-names", test_host_names);
    return g_test_run();
}
