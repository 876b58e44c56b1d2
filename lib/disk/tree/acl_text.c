/* SPDX-License-Identifier: MIT */
#include "acl_text.h"

#include <string.h>

#define FIELDS 4 /* tag, name, permissions, number */

static bool parse_tag(const char *word, bool has_name, guint16 *ret_tag)
{
    static const struct {
        const char *word;
        guint16 plain;
        guint16 named;
    } tags[] = {{"user", 0x01, 0x02}, {"group", 0x04, 0x08}, {"mask", 0x10, 0}, {"other", 0x20, 0}};
    for (gsize i = 0; i < G_N_ELEMENTS(tags); i++) {
        bool letter = word[0] == tags[i].word[0] && word[1] == '\0';
        if (!letter && strcmp(word, tags[i].word) != 0)
            continue;
        *ret_tag = has_name ? tags[i].named : tags[i].plain;
        return *ret_tag != 0;
    }
    return false;
}

static bool parse_permissions(const char *text, guint16 *ret_permissions)
{
    static const char letters[] = "xwr";
    guint16 permissions = 0;
    for (; *text != '\0'; text++) {
        const char *letter = strchr(letters, *text);
        if (letter == NULL && *text != '-')
            return false;
        permissions |= letter != NULL ? (guint16)(1U << (letter - letters)) : 0;
    }
    *ret_permissions = permissions;
    return true;
}

/* Parse the id of a named line: the id field, or else a numeric name. *ret_id is G_MAXUINT32 if the
 * line has neither. */
static bool parse_id(const char *name, const char *number, guint32 *ret_id)
{
    const char *text = number != NULL && number[0] != '\0' ? number : name;
    guint64 id = G_MAXUINT32;
    bool digits = text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
    if (digits && !g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT32 - 1, &id, NULL))
        return false;
    *ret_id = (guint32)id;
    return digits || text == name;
}

/* "mask:r--" stands for "mask::r--", as Solaris writes it. */
static bool parse_line(const char *line, BerthAclEntry *ret_line, char **ret_name)
{
    g_auto(GStrv) fields = g_strsplit(line, ":", FIELDS + 1);
    guint count = g_strv_length(fields);
    if (count < 2 || count > FIELDS)
        return false;
    const char *name = count > 2 ? fields[1] : "";
    ret_line->id = G_MAXUINT32;
    if (!parse_tag(fields[0], name[0] != '\0', &ret_line->tag) ||
        !parse_permissions(fields[count > 2 ? 2 : 1], &ret_line->permissions) ||
        (name[0] != '\0' && !parse_id(name, count == FIELDS ? fields[3] : NULL, &ret_line->id)))
        return false;
    *ret_name = name[0] != '\0' && ret_line->id == G_MAXUINT32 ? g_strdup(name) : NULL;
    return true;
}

static bool parse_text(const char *text, GArray *lines, GPtrArray *names)
{
    g_auto(GStrv) parts = g_strsplit_set(text, ",\n", -1);
    for (guint i = 0; parts[i] != NULL; i++) {
        char *comment = strchr(parts[i], '#');
        if (comment != NULL)
            *comment = '\0';
        char *part = g_strstrip(parts[i]);
        if (part[0] == '\0')
            continue;
        BerthAclEntry line = {0};
        char *name = NULL;
        if (!parse_line(part, &line, &name))
            return false;
        g_array_append_val(lines, line);
        g_ptr_array_add(names, name);
    }
    return lines->len > 0;
}

bool berth_acl_text_add(const char *text, bool is_default, BerthEntry *entry)
{
    g_autoptr(GArray) lines = g_array_new(false, false, sizeof(BerthAclEntry));
    g_autoptr(GArray) numbered = g_array_new(false, false, sizeof(BerthAclEntry));
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    if (!parse_text(text, lines, names))
        return false;
    for (guint i = 0; i < lines->len; i++) {
        const BerthAclEntry *line = &g_array_index(lines, BerthAclEntry, i);
        const char *name = g_ptr_array_index(names, i);
        if (name != NULL)
            berth_entry_add_acl_name(entry, name, line, is_default);
        else
            g_array_append_val(numbered, *line);
    }
    berth_entry_add_acl(entry, is_default, numbered);
    return true;
}
