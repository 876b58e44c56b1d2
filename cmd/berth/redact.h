/* SPDX-License-Identifier: MIT
 *
 * redact — takes private data out of a text that is to be shown to strangers. Pure.
 *
 * Replaced are: paths below the home directory, but for berth's own; names of the user and of the
 * host; values of environment variables; URLs; addresses of networks and of people; private keys;
 * values of names that promise a secret ("password=..."), all NAME=VALUE in capitals, well-known
 * forms of tokens, and other words that are long and random. Terminal sequences are removed first,
 * so that none splits a word.
 *
 * It errs towards too much. It cannot know a secret that looks like an ordinary word.
 */
#pragma once

#include <glib.h>

typedef struct {
    const char *home;               /* absolute, or NULL */
    const char *user, *real_name;   /* or NULL */
    const char *host;               /* or NULL */
    const char *const *environment; /* "K=V", NULL-terminated, or NULL */
} RedactKnown;

typedef struct Redact Redact;

/* Borrows nothing of @known. */
Redact *redact_new(const RedactKnown *known);
void redact_free(Redact *redact);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Redact, redact_free)

/* A copy of @text without private data, in valid UTF-8 without control characters but tabs and line
 * ends. *@ret_count (or NULL) increases by the number of replacements. Free with g_free. */
char *redact_text(const Redact *redact, const char *text, guint *ret_count);
