/* SPDX-License-Identifier: MIT
 *
 * table — one list of words per enum, read in both directions.
 *
 *     static const char *const state_words[] = {[STOPPED] = "stopped", [RUNNING] = "running"};
 *     berth_table_to_string(state_words, state);
 *     berth_table_from_string(state_words, "running", &value);
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* The word for @value, or "unknown" when it is outside the table. Borrowed. */
const char *berth_table_lookup_word(const char *const *words, gsize count, guint value);

/* The value of @word, compared exactly. False when it is not in the table. */
bool berth_table_lookup_value(const char *const *words, gsize count, const char *word,
                              guint *ret_value);

#define berth_table_to_string(words, value)                                                        \
    berth_table_lookup_word((words), G_N_ELEMENTS(words), (guint)(value))
#define berth_table_from_string(words, word, ret_value)                                            \
    berth_table_lookup_value((words), G_N_ELEMENTS(words), (word), (ret_value))

G_END_DECLS
