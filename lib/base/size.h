/* SPDX-License-Identifier: MIT
 *
 * size — parses and formats amounts of bytes.
 *
 * Sizes are bytes in a guint64. Suffixes are binary as WSL, QEMU and lvm use them: K, M, G, T, with
 * an optional "B" or "iB", any case; no suffix means bytes.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* Parse "512M", "1TiB", "4096". False for anything else, including overflow and signs; then
 * @ret_size is untouched. */
bool berth_size_parse(const char *text, guint64 *ret_size);

/* "1.5 GiB", "980 MiB", "12 B": at most four digits. Free with g_free. */
char *berth_size_format(guint64 size);

G_END_DECLS
