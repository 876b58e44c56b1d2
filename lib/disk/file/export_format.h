/* SPDX-License-Identifier: MIT
 *
 * export_format — the formats a distro can be exported in, and the names they go by. Pure.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef enum {
    BERTH_EXPORT_TAR,
    BERTH_EXPORT_TAR_GZIP,
    BERTH_EXPORT_TAR_XZ,
    BERTH_EXPORT_TAR_ZSTD,
    BERTH_EXPORT_EXT4, /* the image itself, with its holes where the output can have them */
} BerthExportFormat;

/* By its word: "tar", "tar.gz", "tar.xz", "tar.zst", "ext4". Errors: BERTH_ERROR_INVALID,
 * "usage.value". */
bool berth_export_format_parse(const char *word, BerthExportFormat *ret_format, GError **error);

const char *berth_export_format_word(BerthExportFormat format);

/* By the end of a file's name; false when it says nothing. */
bool berth_export_format_guess(const char *path, BerthExportFormat *ret_format);

G_END_DECLS
