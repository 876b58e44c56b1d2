/* SPDX-License-Identifier: MIT
 *
 * berth_template — the templates for "berth up". A part of the public interface (berth.h).
 */
#pragma once

#include "berth_handle.h"

G_BEGIN_DECLS

typedef struct {
    char *name;
    char *summary; /* one line, or "" */
    char *path;
} BerthTemplate;

void berth_template_free(BerthTemplate *template); /* NULL is allowed */

/* The user's own templates for "berth up" and berth's, BerthTemplate *, by name; free with
 * g_ptr_array_unref. */
GPtrArray *berth_templates(Berth *berth);

/* The file of the template @name; free with g_free. Errors: "template.not-found". */
char *berth_template_path(Berth *berth, const char *name, GError **error);

G_END_DECLS
