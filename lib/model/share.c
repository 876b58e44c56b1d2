/* SPDX-License-Identifier: MIT */
#include "share.h"

#include <string.h>

BerthShare *berth_share_new(const char *source, const char *target, bool read_only)
{
    BerthShare *share = g_new(BerthShare, 1);
    *share = (BerthShare){g_strdup(source), g_strdup(target), read_only, NULL, 0, NULL};
    return share;
}

void berth_share_free(BerthShare *share)
{
    if (share == NULL)
        return;
    g_free(share->source);
    g_free(share->target);
    g_free(share->overlay);
    g_free(share->count);
    g_free(share);
}

bool berth_share_is_path(const char *path)
{
    if (path[0] != '/')
        return false;
    if (path[1] == '\0')
        return true;
    g_auto(GStrv) names = g_strsplit(path + 1, "/", -1);
    for (char **name = names; *name != NULL; name++)
        if (**name == '\0' || g_str_equal(*name, ".") || g_str_equal(*name, ".."))
            return false;
    return true;
}

/* Whether @path is @directory or below it. */
static bool is_within(const char *path, const char *directory)
{
    gsize length = strlen(directory);
    if (g_str_equal(directory, "/"))
        return true;
    return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

bool berth_share_overlaps(const BerthShare *share, const BerthShare *other)
{
    return is_within(share->target, other->target) || is_within(other->target, share->target);
}

/* The forms of a text; all begin with a source and a target. */
typedef struct {
    const char *word;
    guint n_words;
    bool read_only;
    bool has_overlay, has_count; /* the fourth word */
    bool has_quota;              /* the fifth */
} Form;

static const Form forms[] = {
    {"ro", 3, true, false, false, false},       {"rw", 3, false, false, false, false},
    {"cow", 4, false, true, false, false},      {"quota", 5, false, false, true, true},
    {"cow-quota", 5, false, true, false, true},
};

static const Form *form_of(const BerthShare *share)
{
    for (gsize i = 0; i < G_N_ELEMENTS(forms); i++)
        if (forms[i].read_only == share->read_only &&
            forms[i].has_overlay == (share->overlay != NULL) &&
            forms[i].has_count == (share->count != NULL) &&
            (forms[i].has_quota == (share->quota > 0) || !forms[i].has_overlay))
            return &forms[i];
    g_return_val_if_reached(&forms[0]);
}

static void add_path(GString *text, const char *path)
{
    g_autofree char *escaped = g_uri_escape_string(path, "/", FALSE);
    g_string_append_printf(text, ":%s", escaped);
}

char *berth_share_to_text(const BerthShare *share)
{
    const Form *form = form_of(share);
    GString *text = g_string_new(form->word);
    add_path(text, share->source);
    add_path(text, share->target);
    if (form->n_words > 3)
        add_path(text, form->has_overlay ? share->overlay : share->count);
    if (form->has_quota)
        g_string_append_printf(text, ":%" G_GUINT64_FORMAT, share->quota);
    return g_string_free(text, FALSE);
}

/* The path that @word is, or NULL; free with g_free. */
static char *read_path(const char *word)
{
    g_autofree char *path = g_uri_unescape_string(word, NULL);
    return path != NULL && berth_share_is_path(path) ? g_steal_pointer(&path) : NULL;
}

static const Form *find_form(char **words)
{
    guint n_words = g_strv_length(words);
    for (gsize i = 0; i < G_N_ELEMENTS(forms); i++)
        if (n_words == forms[i].n_words && g_str_equal(words[0], forms[i].word))
            return &forms[i];
    return NULL;
}

BerthShare *berth_share_from_text(const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, ":", -1);
    const Form *form = find_form(words);
    if (form == NULL)
        return NULL;
    g_autofree char *source = read_path(words[1]);
    g_autofree char *target = read_path(words[2]);
    g_autofree char *kept = form->n_words > 3 ? read_path(words[3]) : NULL;
    guint64 quota = 0;
    if (source == NULL || target == NULL || (form->n_words > 3 && kept == NULL) ||
        (form->has_quota &&
         !g_ascii_string_to_unsigned(words[4], 10, 1, BERTH_SHARE_QUOTA_MAX, &quota, NULL)))
        return NULL;
    BerthShare *share = berth_share_new(source, target, form->read_only);
    *(form->has_overlay ? &share->overlay : &share->count) = g_steal_pointer(&kept);
    share->quota = quota;
    return share;
}
