/* SPDX-License-Identifier: MIT
 *
 * settings_file — changes one key in the user's berth.conf, while other processes may do the same.
 *
 * The new file replaces the old one as a whole (written, synced, renamed), with its mode and owner.
 * A berth.conf that is a symbolic link stays one: the file behind it is replaced. A lock on the
 * file itself orders writers, so it needs no file of its own and works wherever the file is.
 */
#pragma once

#include "store/layout.h"

G_BEGIN_DECLS

typedef struct {
    char *path;   /* berth.conf, as the user knows it */
    bool changed; /* false: the file already was so, and is untouched */
} BerthSettingsFileChange;

void berth_settings_file_change_clear(BerthSettingsFileChange *change);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthSettingsFileChange, berth_settings_file_change_clear)

/* Give @key the @value (checked by the caller; NULL: remove the key) in the group of @distro (NULL:
 * [berth]), and create the file if it is missing and there is a value. Waits for another writer.
 * Errors: errno's, "config.write.*", "config.create.*", "layout.*"; BERTH_ERROR_INVALID,
 * "config.syntax"; BERTH_ERROR_DENIED, "config.write.read-only". */
bool berth_settings_file_set(const BerthLayout *layout, const char *distro, const char *key,
                             const char *value, BerthSettingsFileChange *ret_change,
                             GError **error);

G_END_DECLS
