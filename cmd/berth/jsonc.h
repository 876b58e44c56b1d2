/* SPDX-License-Identifier: MIT
 *
 * jsonc — reads JSON with comments and trailing commas, as editors write it. Pure.
 *
 * A library of its own, since json-glib loads GIO, takes no comments, and knows no lines. Errors:
 * BERTH_ERROR_INVALID, "project.json", with "FILE:LINE: " in front.
 */
#pragma once

#include "base/error.h"

#define JSONC_DEPTH_MAX 32 /* of nested values */

typedef enum {
    JSONC_NULL,
    JSONC_BOOL,
    JSONC_NUMBER,
    JSONC_STRING,
    JSONC_ARRAY,
    JSONC_OBJECT,
} JsoncType;

typedef struct {
    JsoncType type;
    guint line;       /* where it begins, from 1 */
    char *text;       /* string: without zero bytes; bool and number: as written; else NULL */
    GPtrArray *items; /* Jsonc *: of an array or an object; else NULL */
    GPtrArray *keys;  /* char *: of an object, one for each item; else NULL */
} Jsonc;

void jsonc_free(Jsonc *value); /* NULL is allowed */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Jsonc, jsonc_free)

/* Parse @text, which ends with a zero byte; @origin names it in messages. */
Jsonc *jsonc_parse(const char *text, const char *origin, GError **error);
