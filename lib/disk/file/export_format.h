/* SPDX-License-Identifier: MIT
 *
 * export_format — export formats and their names. Pure.
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
    BERTH_EXPORT_EXT4, /* the image itself, sparse if the output allows */
} BerthExportFormat;

/* Parse a format's name: "tar", "tar.gz", "tar.xz", "tar.zst", "ext4". Errors: BERTH_ERROR_INVALID,
 * "usage.value". */
bool berth_export_format_parse(const char *word, BerthExportFormat *ret_format, GError **error);

const char *berth_export_format_word(BerthExportFormat format);

/* Guess from the suffix of a file name; false if the suffix is unknown. */
bool berth_export_format_guess(const char *path, BerthExportFormat *ret_format);

G_END_DECLS
