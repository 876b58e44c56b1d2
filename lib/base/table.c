/* SPDX-License-Identifier: MIT */
#include "table.h"

const char *berth_table_lookup_word(const char *const *words, gsize count, guint value)
{
    return value < count && words[value] != NULL ? words[value] : "unknown";
}

bool berth_table_lookup_value(const char *const *words, gsize count, const char *word,
                              guint *ret_value)
{
    for (gsize i = 0; i < count; i++) {
        if (g_strcmp0(words[i], word) != 0)
            continue;
        *ret_value = (guint)i;
        return true;
    }
    return false;
}
