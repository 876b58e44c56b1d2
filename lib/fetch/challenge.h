/* SPDX-License-Identifier: MIT
 *
 * challenge — what a registry says in WWW-Authenticate: where everybody gets a token.
 *
 * Pure; owns its strings.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct {
    char *realm;   /* an URL of anybody's */
    char *service; /* NULL: not stated */
} BerthFetchChallenge;

void berth_fetch_challenge_clear(BerthFetchChallenge *challenge);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthFetchChallenge, berth_fetch_challenge_clear)

/* Find "Bearer realm=..." in @value, which may have other schemes too; false if it has none. */
bool berth_fetch_challenge_parse(const char *value, BerthFetchChallenge *ret_challenge);

/* The URL of a token that allows to read @repository, and nothing else. Free with g_free. */
char *berth_fetch_challenge_url(const BerthFetchChallenge *challenge, const char *repository);

G_END_DECLS
