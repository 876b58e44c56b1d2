/* SPDX-License-Identifier: MIT
 *
 * file_digest — the SHA-256 of files that seldom change, as of berth's kernel, without reading them
 * each time.
 *
 * A known digest is text: device, inode, size and times of the file, then the digest. It is used
 * only for the very file with all of these; a file that was written meanwhile is read again.
 *
 * The cache has one small file for each path. One that is damaged, of another version or was not
 * written by this module is ignored and written anew.
 */
#pragma once

#include "base/sha256.h"

#include <stdbool.h>

G_BEGIN_DECLS

/* Return the known digest of the file @path, from the cache below @cache_dir or by reading it; NULL
 * if it cannot be read, or was changed so recently that a later write might have the same time.
 * Free with g_free. */
char *berth_file_digest_known(const char *path, const char *cache_dir);

/* The digest of @path: that of @known (NULL: none) which fits the file, else by reading it. Errors:
 * errno's, "park.identity.*". */
bool berth_file_digest(const char *path, char **known, guint8 ret_digest[BERTH_SHA256_SIZE],
                       GError **error);

G_END_DECLS
