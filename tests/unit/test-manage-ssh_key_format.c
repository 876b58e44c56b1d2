/* SPDX-License-Identifier: MIT */
#include "manage/ssh_key_format.h"

#include <string.h>

/* Made by ssh-keygen, for these tests alone; and what dropbearconvert makes of it. */
static const char key[] = "-----BEGIN OPENSSH PRIVATE KEY-----\n"
                          "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n"
                          "QyNTUxOQAAACCwVxZIB2+t+LMFksQ5T8Bhy/tCJfVBuMICoOhFdAldWwAAAIguvnNwLr5z\n"
                          "cAAAAAtzc2gtZWQyNTUxOQAAACCwVxZIB2+t+LMFksQ5T8Bhy/tCJfVBuMICoOhFdAldWw\n"
                          "AAAEC1ZLwQKVDsSk+6seS2vOTPocW1G/MqmX9ZXhVQvnGHrbBXFkgHb634swWSxDlPwGHL\n"
                          "+0Il9UG4wgKg6EV0CV1bAAAABWJlcnRo\n"
                          "-----END OPENSSH PRIVATE KEY-----\n";
static const char wanted[] =
    "0000000b7373682d6564323535313900000040b564bc102950ec4a4fbab1e4b6bce4cfa1"
    "c5b51bf32a997f595e1550be7187adb0571648076fadf8b30592c4394fc061cbfb4225f5"
    "41b8c202a0e84574095d5b";

static void test_key(void)
{
    g_autofree char *digits = berth_ssh_key_for_dropbear(key);
    g_assert_cmpstr(digits, ==, wanted);
}

/* The reader ignores the lines before and behind the key. */
static void test_surroundings(void)
{
    g_autofree char *text = g_strconcat("a comment\n", key, "\nmore\n", NULL);
    g_autofree char *digits = berth_ssh_key_for_dropbear(text);
    g_assert_cmpstr(digits, ==, wanted);
}

static void test_no_key(void)
{
    static const char *const texts[] = {
        "",
        "x",
        "-----BEGIN OPENSSH PRIVATE KEY-----\n",
        "-----BEGIN OPENSSH PRIVATE KEY-----\n-----END OPENSSH PRIVATE KEY-----\n",
        "-----BEGIN OPENSSH PRIVATE KEY-----\n====\n-----END OPENSSH PRIVATE KEY-----\n",
        "-----END OPENSSH PRIVATE KEY-----\n-----BEGIN OPENSSH PRIVATE KEY-----\n",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== berth\n",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
        g_assert_null(berth_ssh_key_for_dropbear(texts[i]));
}

#define BEGIN_LINE "-----BEGIN OPENSSH PRIVATE KEY-----\n"
#define END_LINE   "\n-----END OPENSSH PRIVATE KEY-----\n"

static char *wrap(const guint8 *bytes, gsize size)
{
    g_autofree char *middle = g_base64_encode(bytes, size);
    return g_strconcat(BEGIN_LINE, middle, END_LINE, NULL);
}

static guint8 *unwrap(gsize *ret_size)
{
    const char *begin = strchr(key, '\n');
    const char *end = strstr(key, "-----END");
    g_autofree char *middle = g_strndup(begin, (gsize)(end - begin));
    return g_base64_decode(middle, ret_size);
}

/* A key that is cut short is none, wherever that is, up to the private key's end. */
static void test_cut(void)
{
    gsize size;
    g_autofree guint8 *bytes = unwrap(&size);
    for (gsize cut = 0; cut < size; cut++) {
        g_autofree guint8 *exact = g_memdup2(bytes, cut); /* for AddressSanitizer */
        g_autofree char *text = wrap(exact, cut);
        g_autofree char *digits = berth_ssh_key_for_dropbear(text);
        g_assert_true(digits == NULL || strcmp(digits, wanted) == 0);
        g_assert_true(cut > size - 32 || digits == NULL);
    }
}

/* Nor is one with another byte in a length, a name or the check. */
static void test_changed(void)
{
    gsize size;
    g_autofree guint8 *bytes = unwrap(&size);
    for (gsize at = 0; at < 39; at++) { /* magic, cipher, derivation, number of keys */
        g_autofree guint8 *changed = g_memdup2(bytes, size);
        changed[at] ^= 0x81;
        g_autofree char *text = wrap(changed, size);
        g_assert_null(berth_ssh_key_for_dropbear(text));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ssh-key-format/key", test_key);
    g_test_add_func("/ssh-key-format/surroundings", test_surroundings);
    g_test_add_func("/ssh-key-format/no-key", test_no_key);
    g_test_add_func("/ssh-key-format/cut", test_cut);
    g_test_add_func("/ssh-key-format/changed", test_changed);
    return g_test_run();
}
