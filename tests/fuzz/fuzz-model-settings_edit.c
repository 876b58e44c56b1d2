/* SPDX-License-Identifier: MIT
 *
 * Any berth.conf that GKeyFile takes: after an edit it still does, the key has its value, every
 * other key has the value that it had, and a second edit changes nothing.
 */
#include "fuzz.h"
#include "model/settings.h"
#include "model/settings_edit.h"
#include "model/settings_line.h"

#include <glib.h>
#include <string.h>

#define KEY "cpus"

/* Texts of random pieces, since random bytes are hardly ever a key file. */
static char *make_text(const uint8_t *data, size_t size)
{
    static const char *const pieces[] = {"[berth]\n",
                                         "[BERTH]\r\n",
                                         "[distro a]\n",
                                         "[Distro A] \n",
                                         "[other]\n",
                                         "cpus=1\n",
                                         "cpus = 2\r\n",
                                         " cpus\t=\n",
                                         "mtu=3000\n",
                                         "#cpus=3\n",
                                         "\n",
                                         " \r\n",
                                         "cpus[de]=4\n",
                                         "cpus=5",
                                         "kernel=\\sx\n",
                                         "x",
                                         "=",
                                         "[",
                                         "]",
                                         "\n",
                                         "\r",
                                         "\t",
                                         "#",
                                         "\xEF\xBB\xBF",
                                         "\xff",
                                         "\\"};
    GString *text = g_string_new(NULL);
    for (size_t i = 0; i < size; i++)
        if (data[i] < 4 * G_N_ELEMENTS(pieces))
            g_string_append(text, pieces[data[i] % G_N_ELEMENTS(pieces)]);
    return g_string_free(text, FALSE);
}

/* Every key but the edited one must be in @after as it was in @before. */
static void check_others(GKeyFile *before, GKeyFile *after, const char *distro)
{
    g_auto(GStrv) groups = g_key_file_get_groups(before, NULL);
    for (gsize i = 0; groups[i] != NULL; i++) {
        g_auto(GStrv) keys = g_key_file_get_keys(before, groups[i], NULL, NULL);
        for (gsize k = 0; keys != NULL && keys[k] != NULL; k++) {
            if (strcmp(keys[k], KEY) == 0 && berth_settings_line_is_group(groups[i], distro))
                continue;
            g_autofree char *was = g_key_file_get_value(before, groups[i], keys[k], NULL);
            g_autofree char *is = g_key_file_get_value(after, groups[i], keys[k], NULL);
            g_assert_cmpstr(was, ==, is);
        }
    }
}

static void check_edit(const char *text, const char *distro, const char *value)
{
    g_autoptr(GKeyFile) before = berth_settings_parse(berth_settings_begin(text), "f", NULL);
    /* GKeyFile drops a carriage return only before a line feed, which an edit may add at the end.
     */
    if (before == NULL || g_str_has_suffix(text, "\r"))
        return;
    g_autofree char *edited = berth_settings_edit(text, distro, KEY, value);
    g_autoptr(GKeyFile) after = berth_settings_parse(berth_settings_begin(edited), "f", NULL);
    g_assert_nonnull(after);
    g_autofree char *found = berth_settings_lookup(edited, distro, KEY);
    g_assert_cmpstr(found, ==, value);
    check_others(before, after, distro);
    g_autofree char *again = berth_settings_edit(edited, distro, KEY, value);
    g_assert_cmpstr(again, ==, edited);
}

static void check_text(const char *text)
{
    static const char *const distros[] = {NULL, "a"};
    static const char *const values[] = {"7", " a\\\n", NULL};
    for (gsize i = 0; i < G_N_ELEMENTS(distros); i++)
        for (gsize k = 0; k < G_N_ELEMENTS(values); k++)
            check_edit(text, distros[i], values[k]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *raw = g_strndup((const char *)data, size);
    check_text(raw);
    for (size_t at = 0; at < size; at += 8) {
        g_autofree char *made = make_text(data + at, MIN(size - at, 12));
        check_text(made);
    }
    return 0;
}
