/* SPDX-License-Identifier: MIT
 *
 * fields — table-driven access to a struct's members: reading, checking, writing, copying and
 * listing.
 *
 * A row gives a member's name in text, its type and range, and its offset. Settings and Machine are
 * such structs; their text form is a GKeyFile group. Tables end with a row whose name is NULL.
 * Sizes in text take the suffixes of base/size.h.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

G_BEGIN_DECLS

typedef enum {
    BERTH_FIELD_STRING, /* char *, owned; "" is read as NULL */
    BERTH_FIELD_LIST,   /* char **, owned, never NULL after init; separated by ";" in text */
    BERTH_FIELD_SIZE,   /* guint64, bytes */
    BERTH_FIELD_UINT,   /* guint */
    BERTH_FIELD_BOOL,   /* bool; "true", "false", "yes", "no", "on", "off" */
    BERTH_FIELD_WORD,   /* guint; one of `words` */
} BerthFieldType;

typedef enum {
    BERTH_FIELD_GLOBAL = 1 << 0,  /* settings: one value for all distros */
    BERTH_FIELD_AT_ONCE = 1 << 1, /* settings: running distros follow a change */
    BERTH_FIELD_NEW = 1 << 2,     /* settings: for a distro that is made, not for one that exists */
} BerthFieldFlags;

typedef struct {
    const char *name;
    BerthFieldType type;
    size_t offset;
    const char *initial;                             /* as text; NULL is NULL, 0 or false */
    guint64 min, max;                                /* SIZE and UINT; max 0: no limit */
    guint64 raised_to;                               /* SIZE: less than this, but not 0, is allowed
                                                        and raised to it; 0: no such least */
    const char *const *words;                        /* WORD: NULL-terminated, index = value */
    const char *help;                                /* one line for users, or NULL */
    bool (*check)(const char *text, GError **error); /* STRING: validates the text; or NULL */
    guint flags;                                     /* BerthFieldFlags */
} BerthField;

/* Set every member to its default. @object's members must be zero or owned by it. */
void berth_fields_init(const BerthField *fields, gpointer object);

/* Free what the members own and zero them. */
void berth_fields_clear(const BerthField *fields, gpointer object);

/* The row called @name, or NULL. */
const BerthField *berth_field_find(const BerthField *fields, const char *name);

/* The name of the row that the mistyped @name probably means, or NULL. Borrowed from the table. */
const char *berth_field_nearest(const BerthField *fields, const char *name);

/* Parse @text into the member. On failure the member keeps its value. Errors: BERTH_ERROR_INVALID,
 * "config.value"; the hint lists what is allowed. */
bool berth_field_parse(const BerthField *field, gpointer object, const char *text, GError **error);

/* Set every member to its default, then parse @words, each KEY=VALUE; NULL-terminated. For programs
 * that berth itself starts. Errors: as berth_field_parse; BERTH_ERROR_INVALID, @step, for a word
 * that is no option, which names @program. */
bool berth_fields_parse_words(const BerthField *fields, gpointer object, char *const *words,
                              const char *step, const char *program, GError **error);

/* What the text of a value may be: "true or false", "a number, from 1 to 60". Free with g_free. */
char *berth_field_describe(const BerthField *field);

/* The words of which a value is one: of WORD and BOOL; of other types NULL. Static. */
const char *const *berth_field_words(const BerthField *field);

/* Format the member as berth_field_parse reads it. Free with g_free. */
char *berth_field_format(const BerthField *field, gconstpointer object);

/* Parse every key of @group; a missing group is empty. @origin names the file in messages. Errors:
 * as berth_field_parse; BERTH_ERROR_INVALID, "config.key" for a key without a row. */
bool berth_fields_load(const BerthField *fields, gpointer object, GKeyFile *file, const char *group,
                       const char *origin, GError **error);

/* Parse one key of @group. */
bool berth_fields_load_key(const BerthField *fields, gpointer object, GKeyFile *file,
                           const char *group, const char *key, const char *origin, GError **error);

/* Write every member into @group. */
void berth_fields_save(const BerthField *fields, gconstpointer object, GKeyFile *file,
                       const char *group);

G_END_DECLS
