/* SPDX-License-Identifier: MIT
 *
 * An untrusted wsl.conf: parsing it terminates, and its only output is lines with their place.
 */
#include "distro/wsl_settings.h"
#include "fuzz.h"

#include <glib.h>
#include <string.h>

static void check_warning(void *data, const char *text)
{
    g_assert_true(g_str_has_prefix(text, "f:"));
    g_assert_true(g_ascii_isdigit(text[2]) && text[2] != '0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char heading[] = "[boot]\n"; /* random input rarely contains a section */
    Settings settings;
    g_autofree char *text = g_strndup((const char *)data, size);
    g_autofree char *in_section = g_strconcat(heading, text, NULL);

    settings_init(&settings);
    settings_parse(&settings, "f", text, check_warning, NULL);
    settings_parse(&settings, "f", in_section, check_warning, NULL);
    g_assert_cmpuint(settings.umask, <=, 0777);

    char clean[SETTINGS_HOSTNAME_MAX + 1];
    settings_clean_hostname(settings.hostname != NULL ? settings.hostname : text, clean);
    g_assert_cmpuint(strlen(clean), >=, 1);
    g_assert_cmpuint(strspn(clean, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-."), ==,
                     strlen(clean));
    settings_clear(&settings);
    return 0;
}
