/* SPDX-License-Identifier: MIT
 *
 * templates — the descriptions of distros for berth up: NAME.conf in the user's directory and in
 * berth's own; the user's come first.
 */
#pragma once

#include "handle.h"

G_BEGIN_DECLS

typedef struct {
    char *name;
    char *summary; /* the first line of the file, which is a comment; or "" */
    char *path;
} BerthTemplateFile;

/* All of them by name, BerthTemplateFile *; free with g_ptr_array_unref. */
GPtrArray *berth_templates_list(const Berth *berth);

/* The file of the template @name; free with g_free. Errors: BERTH_ERROR_NOT_FOUND,
 * "template.not-found". */
char *berth_templates_find(const Berth *berth, const char *name, GError **error);

G_END_DECLS
