/* SPDX-License-Identifier: MIT
 *
 * sha256 — SHA-256 (FIPS 180-4) of bytes that arrive in parts, by nettle.
 *
 * For what is large: nettle uses the processor's instructions for it, and is three times and more
 * as fast as GLib's GChecksum. No errors.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define BERTH_SHA256_SIZE 32 /* bytes of a digest */

typedef struct _BerthSha256 BerthSha256;

/* Of no bytes yet. Free with berth_sha256_free. */
BerthSha256 *berth_sha256_new(void);
void berth_sha256_free(BerthSha256 *sha256);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthSha256, berth_sha256_free)

/* Begin again, with no bytes. */
void berth_sha256_reset(BerthSha256 *sha256);

void berth_sha256_update(BerthSha256 *sha256, const void *data, gsize size);

/* The digest of all bytes so far; more may follow. */
void berth_sha256_digest(const BerthSha256 *sha256, guint8 digest[BERTH_SHA256_SIZE]);

/* The same as 64 lower-case hexadecimal digits. Free with g_free. */
char *berth_sha256_format(const BerthSha256 *sha256);

G_END_DECLS
