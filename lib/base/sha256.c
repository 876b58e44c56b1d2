/* SPDX-License-Identifier: MIT */
#include "sha256.h"

#include <nettle/sha2.h>
#include <nettle/version.h>

struct _BerthSha256 {
    struct sha256_ctx state;
};

BerthSha256 *berth_sha256_new(void)
{
    BerthSha256 *sha256 = g_new(BerthSha256, 1);
    berth_sha256_reset(sha256);
    return sha256;
}

void berth_sha256_free(BerthSha256 *sha256)
{
    g_free(sha256);
}

void berth_sha256_reset(BerthSha256 *sha256)
{
    sha256_init(&sha256->state);
}

void berth_sha256_update(BerthSha256 *sha256, const void *data, gsize size)
{
    sha256_update(&sha256->state, size, data);
}

void berth_sha256_digest(const BerthSha256 *sha256, guint8 digest[BERTH_SHA256_SIZE])
{
    struct sha256_ctx state = sha256->state; /* nettle begins again after a digest */
#if NETTLE_VERSION_MAJOR >= 4
    sha256_digest(&state, digest);
#else
    sha256_digest(&state, BERTH_SHA256_SIZE, digest);
#endif
}

char *berth_sha256_format(const BerthSha256 *sha256)
{
    guint8 digest[BERTH_SHA256_SIZE];
    GString *text = g_string_sized_new(2 * sizeof(digest) + 1);
    berth_sha256_digest(sha256, digest);
    for (gsize i = 0; i < sizeof(digest); i++)
        g_string_append_printf(text, "%02x", digest[i]);
    return g_string_free(text, FALSE);
}
