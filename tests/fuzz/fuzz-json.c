/* SPDX-License-Identifier: MIT
 *
 * JSON of a stranger's: what the check accepts, json-glib parses and prints as the same values;
 * what it refuses has a reason. Each text is cut and damaged, too.
 */
#include "json/json_reader.h"

#include "fuzz.h"

#include <string.h>

#define DEPTH 8

static const char *const pieces[] = {
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"a\"",
    "\"b\":",
    "\"a\":1",
    "null",
    "true",
    "-1",
    "0",
    "1.5e3",
    "1e999",
    "\"\\ud83d\\ude00\"",
    "\\ud800",
    "\"\\u0000\"",
    " ",
    "\n",
    "/* x */",
    "99999999999",
    "\"\\u0061\":",
    "9223372036854775808",
};

static void check_text(const char *bytes, gsize size)
{
    g_autofree char *problem = NULL;
    g_autofree char *copy = g_memdup2(bytes, size); /* of its own size: for a sanitizer */
    bool nul = false;
    bool good = berth_json_check(copy, size, DEPTH, &nul, &problem);
    g_assert_true(good == (problem == NULL));
    g_autofree char *second = NULL;
    g_autoptr(JsonNode) node = berth_json_read(copy, size, DEPTH, NULL, &second);
    g_assert_true((node != NULL) == (good && !nul)); /* json-glib agrees */
    if (node == NULL)
        return;
    g_autofree char *printed = json_to_string(node, FALSE);
    g_autofree char *third = NULL;
    g_autoptr(JsonNode) again = berth_json_read(printed, strlen(printed), DEPTH, NULL, &third);
    /* json-glib 1.6 does not escape this code, and prints numbers by its own rules */
    g_assert_true(again != NULL || strchr(printed, 0x1f) != NULL ||
                  strpbrk(printed, ".eE") != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (size_t i = 0; i < size; i++) {
        if (data[i] < 224)
            g_string_append(text, pieces[data[i] % G_N_ELEMENTS(pieces)]);
        else if (++i < size)
            g_string_append_c(text, (char)data[i]);
    }
    check_text(text->str, text->len);
    check_text((const char *)data, size);
    return 0;
}
