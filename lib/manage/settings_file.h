/* SPDX-License-Identifier: MIT
 *
 * settings_file — changes keys in the user's berth.conf, while other processes may do the same.
 *
 * The new file replaces the old one as a whole (written, synced, renamed), with its mode and owner.
 * A berth.conf that is a symbolic link stays one: the file behind it is replaced. A lock on the
 * file itself orders writers, so it needs no file of its own and works wherever the file is.
 */
#pragma once

#include "store/layout.h"

G_BEGIN_DECLS

/* One key and what it is to be. Strings are borrowed. */
typedef struct {
    const char *key;
    const char *value; /* checked by the caller; NULL: remove the key */
    bool changed;      /* out: the file was otherwise before */
} BerthSettingsFileEdit;

/* Make @n_edits of @edits in the group of @distro (NULL: [berth]), all or none, and create the file
 * if it is missing and there is a value. A file that already is so stays untouched. Waits for
 * another writer. Errors: errno's, "config.write.*", "config.create.*", "layout.*";
 * BERTH_ERROR_INVALID, "config.syntax"; BERTH_ERROR_DENIED, "config.write.read-only". */
bool berth_settings_file_set(const BerthLayout *layout, const char *distro,
                             BerthSettingsFileEdit *edits, gsize n_edits, GError **error);

G_END_DECLS
