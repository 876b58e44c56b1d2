/* SPDX-License-Identifier: MIT
 *
 * Tests of cmd/berth/redact.
 */
#include "../../cmd/berth/redact.h"

#include <string.h>

static const char *const environment[] = {
    "HOME=/home/alice",
    "SHORT=abc",
    "API_TOKEN=zq9",
    "EDITOR=/opt/my editor/run",
    "QUOTED=say \"hello\\there\" now",
    "LINES=first secret line\nsecond secret line",
    "LONGER=/opt/my editor/run --with words",
    "no variable",
    NULL,
};

static const RedactKnown known = {
    .home = "/home/alice",
    .user = "alice",
    .real_name = "Alice Liddell",
    .host = "looking-glass.example.org",
    .environment = environment,
};

static char *redacted(const char *text)
{
    g_autoptr(Redact) redact = redact_new(&known);
    return redact_text(redact, text, NULL);
}

typedef struct {
    const char *text, *expected;
} Case;

static void check(const Case *cases, gsize count)
{
    for (gsize i = 0; i < count; i++) {
        g_autofree char *result = redacted(cases[i].text);
        g_assert_cmpstr(result, ==, cases[i].expected);
    }
}

static void test_home(void)
{
    static const Case cases[] = {
        {"/home/alice", "~"},
        {"in /home/alice: full", "in ~: full"},
        {"/home/alice/.local/share/berth/distros/x/disk.ext4",
         "~/.local/share/berth/distros/x/disk.ext4"},
        {"/home/alice/.config/berth", "~/.config/berth"},
        {"/home/alice/.config/berthold", "~/REDACTED"},
        {"/home/alice/work/merger: not there", "~/REDACTED: not there"},
        {"{\"path\" : \"/home/alice/a secret, really/x\"}",
         "{\"path\" : \"~/REDACTED, really/x\"}"},
        {"kernel  /home/alice/k er  -", "kernel  ~/REDACTED  -"},
        {"/home/bob/x", "/home/USER/x"},
    };
    check(cases, G_N_ELEMENTS(cases));
}

static void test_names(void)
{
    static const Case cases[] = {
        {"alice logs in", "USER logs in"},       {"ALICE and malice", "USER and mUSER"},
        {"by Alice Liddell", "by NAME"},         {"looking-glass login:", "HOST login:"},
        {"looking-glass.example.org:", "HOST:"},
    };
    check(cases, G_N_ELEMENTS(cases));
}

static void test_short_and_ordinary_names(void)
{
    const RedactKnown short_names = {.user = "jo", .host = "localhost", .real_name = "Unknown"};
    g_autoptr(Redact) redact = redact_new(&short_names);
    g_autofree char *result = redact_text(redact, "jo (joke) jo_x localhost Unknown root", NULL);
    g_assert_cmpstr(result, ==, "USER (joke) USER_x localhost Unknown root");

    const RedactKnown root = {.user = "root", .home = "/root", .host = "berth.example.org"};
    g_autoptr(Redact) of_root = redact_new(&root);
    g_autofree char *other = redact_text(of_root, "root /rootfs berth.example.org berth\n/root/x y", NULL);
    g_assert_cmpstr(other, ==, "root /rootfs HOST berth\n~/REDACTED");
}

static void test_environment(void)
{
    static const Case cases[] = {
        {"abc", "abc"},
        {"pin zq9.", "pin $API_TOKEN."},
        {"zq9x", "zq9x"},
        {"runs /opt/my editor/run -x", "runs $EDITOR -x"},
        {"/opt/my editor/run --with words", "$LONGER"},
        {"\"say \\\"hello\\\\there\\\" now\"", "\"$QUOTED\""},
        {"second secret line", "$LINES"},
        {"sets FOO_BAR=some-value; and x=1", "sets FOO_BAR=REDACTED and x=1"},
        {"Q=\"two words\"", "Q=\"two words\""},
        {"QQ=\"two words\"", "QQ=REDACTED"},
    };
    check(cases, G_N_ELEMENTS(cases));
}

static void test_secrets(void)
{
    static const Case cases[] = {
        {"password: hunter2", "password: REDACTED"},
        {"root-passwd=\"a b\" x", "root-passwd=REDACTED x"},
        {"\"db_secret\" : \"a \\\"b\"", "\"db_secret\" : REDACTED"},
        {"run --token abcdef end", "run --token REDACTED end"},
        {"Authorization: Basic YWxhZGRpbg== more", "Authorization: REDACTED"},
        {"Bearer abcdefgh1", "Bearer REDACTED"},
        {"is ghp_0123456789abcdef", "is TOKEN-REDACTED"},
        {"https://u:p@example.org/a?b=c d", "https://REDACTED d"},
        {"mail a.b@example.org", "mail EMAIL-REDACTED"},
        {"getty@tty1.service", "getty@tty1.service"},
        {"-----BEGIN OPENSSH PRIVATE KEY-----\nab\ncd\n-----END OPENSSH PRIVATE KEY-----\nx",
         "KEY-REDACTED\nx"},
        {"-----BEGIN PRIVATE KEY-----\nab", "KEY-REDACTED"},
        {"b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtz", "LONG-WORD-REDACTED"},
        {"deadbeef0123456789abcdef", "LONG-WORD-REDACTED"},
        {"a_plain_long_word_without_digits 12345678901234567890123",
         "a_plain_long_word_without_digits 12345678901234567890123"},
    };
    check(cases, G_N_ELEMENTS(cases));
}

static void test_addresses(void)
{
    static const Case cases[] = {
        {"192.168.7.9:80", "ADDRESS:80"},
        {"127.0.0.1 10.0.2.15 0.0.0.0", "127.0.0.1 10.0.2.15 0.0.0.0"},
        {"version 6.1.0.18.2", "version 6.1.0.18.2"},
        {"2001:db8::17", "ADDRESS"},
        {"52:54:00:12:34:56", "ADDRESS"},
        {"at 12:30:45 ::1", "at 12:30:45 ::1"},
    };
    check(cases, G_N_ELEMENTS(cases));
}

static void test_terminal_sequences_split_nothing(void)
{
    static const Case cases[] = {
        {"al\033[1mice", "USER"},
        {"al\033]0;title\007ice", "USER"},
        {"al\033(Bice\r\n\tx\b", "USER\n\tx"},
        {"al\001ice \xff", "USER \xef\xbf\xbd"},
    };
    check(cases, G_N_ELEMENTS(cases));
}

static void test_count(void)
{
    guint count = 1;
    g_autoptr(Redact) redact = redact_new(&known);
    g_autofree char *result = redact_text(redact, "\033[0malice and /home/alice/x", &count);
    g_assert_cmpuint(count, ==, 3);
}

/* Planted anywhere in random bytes, with blanks around them, they do not come out. */
static void test_random(void)
{
    static const char *const secrets[] = {
        "alice",           "looking-glass",        "/opt/my editor/run",
        "a.b@example.org", "ghp_0123456789abcdef", "hunter2"};
    static const char *const lead[] = {"", "", "", "", "", "password="};
    g_autoptr(Redact) redact = redact_new(&known);
    for (guint seed = 0; seed < 1000; seed++) {
        g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
        guint which = (guint)g_rand_int_range(rand, 0, G_N_ELEMENTS(secrets));
        g_autoptr(GString) text = g_string_new(NULL);
        guint at = (guint)g_rand_int_range(rand, 0, 40);
        for (guint i = 0; i < 40; i++) {
            g_string_append_c(text, (char)g_rand_int_range(rand, 1, 256));
            if (i == at)
                g_string_append_printf(text, "\n%s%s\n", lead[which], secrets[which]);
        }
        g_autofree char *result = redact_text(redact, text->str, NULL);
        g_assert_null(strstr(result, secrets[which]));
        g_assert_true(g_utf8_validate(result, -1, NULL));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/redact/home", test_home);
    g_test_add_func("/redact/names", test_names);
    g_test_add_func("/redact/short-and-ordinary-names", test_short_and_ordinary_names);
    g_test_add_func("/redact/environment", test_environment);
    g_test_add_func("/redact/secrets", test_secrets);
    g_test_add_func("/redact/addresses", test_addresses);
    g_test_add_func("/redact/terminal-sequences", test_terminal_sequences_split_nothing);
    g_test_add_func("/redact/count", test_count);
    g_test_add_func("/redact/random", test_random);
    return g_test_run();
}
