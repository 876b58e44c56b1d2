/* SPDX-License-Identifier: MIT
 *
 * layout — the tar of an OCI image layout, planned before its blobs are there.
 *
 * All sizes are known from the manifests, so each blob has its place in the file, and several can
 * be written at once. The result is read in place by disk/layers. Sizes and offsets are bytes.
 *
 * Errors: BERTH_ERROR_INVALID, "fetch.too-big"; errno's, "fetch.write.*".
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_FETCH_LAYOUT_BLOB_MAX ((G_GUINT64_CONSTANT(1) << 33) - 1) /* a tar header's limit */

typedef struct BerthFetchLayout BerthFetchLayout;

BerthFetchLayout *berth_fetch_layout_new(void);
void berth_fetch_layout_free(BerthFetchLayout *layout);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthFetchLayout, berth_fetch_layout_free)

/* Add the member @name with the bytes @content, which are copied. */
bool berth_fetch_layout_add(BerthFetchLayout *layout, const char *name, const void *content,
                            gsize size, GError **error);

/* Add the member @name of @size bytes, which the caller writes at *@ret_offset. */
bool berth_fetch_layout_reserve(BerthFetchLayout *layout, const char *name, guint64 size,
                                guint64 *ret_offset, GError **error);

/* Write headers, contents and the end into the empty file @fd, which has its final size then. */
bool berth_fetch_layout_write(const BerthFetchLayout *layout, int fd, guint64 *ret_size,
                              GError **error);

G_END_DECLS
