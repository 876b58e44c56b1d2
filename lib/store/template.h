/* SPDX-License-Identifier: MIT
 *
 * template — reads berth's data files as text.
 *
 * Free the texts with g_free.
 */
#pragma once

#include "layout.h"

G_BEGIN_DECLS

/* templates/machines/<architecture>.conf.
 * Errors: BERTH_ERROR_NOT_FOUND, "template.missing"; errno's, "template.*". */
char *berth_template_read_machine(const BerthLayout *layout, const char *architecture,
                                  GError **error);

/* Read the user's berth.conf and its path; *@ret_text is NULL if it does not exist. Errors:
 * errno's, "config.*". */
bool berth_template_read_settings(const BerthLayout *layout, char **ret_text, char **ret_path,
                                  GError **error);

/* The same from the open file @fd; @path names it in messages. */
bool berth_template_read_settings_from(int fd, const char *path, char **ret_text, GError **error);

/* The same of any file, which must exist. */
char *berth_template_read_settings_at(const char *path, GError **error);

G_END_DECLS
