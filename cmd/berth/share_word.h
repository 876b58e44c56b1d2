/* SPDX-License-Identifier: MIT
 *
 * share_word — parses what `berth share add` accepts as one word:
 *
 *     PATH[:GUESTPATH][:ro][:quota=SIZE]
 *
 * A path may contain colons, so the word alone does not say where PATH ends. It ends where PATH
 * names a file that exists; if several readings do, the word is refused.
 */
#pragma once

#include "berth.h"

typedef struct {
    char *path;   /* owned */
    char *target; /* GUESTPATH, owned; NULL: none was given */
    bool read_only;
    guint64 quota; /* bytes; 0: none was given */
} ShareWord;

void share_word_clear(ShareWord *word);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ShareWord, share_word_clear)

/* Parse @text, relative to the working directory. If no reading has a PATH that exists, the one
 * with the shortest is stored, for the caller's error. Clear *@ret_word with share_word_clear.
 * Errors: BERTH_ERROR_INVALID, "share.colon" if several readings do; "share.option" if the word
 * ends with an unknown option. */
bool share_word_parse(const char *text, ShareWord *ret_word, GError **error);
