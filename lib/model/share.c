/* SPDX-License-Identifier: MIT */
#include "share.h"

#include <string.h>

BerthShare *berth_share_new(const char *source, const char *target, bool read_only)
{
    BerthShare *share = g_new(BerthShare, 1);
    *share = (BerthShare){g_strdup(source), g_strdup(target), read_only, NULL};
    return share;
}

void berth_share_free(BerthShare *share)
{
    if (share == NULL)
        return;
    g_free(share->source);
    g_free(share->target);
    g_free(share->overlay);
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

char *berth_share_to_text(const BerthShare *share)
{
    g_autofree char *source = g_uri_escape_string(share->source, "/", FALSE);
    g_autofree char *target = g_uri_escape_string(share->target, "/", FALSE);
    if (share->overlay == NULL)
        return g_strdup_printf("%s:%s:%s", share->read_only ? "ro" : "rw", source, target);
    g_autofree char *overlay = g_uri_escape_string(share->overlay, "/", FALSE);
    return g_strdup_printf("cow:%s:%s:%s", source, target, overlay);
}

BerthShare *berth_share_from_text(const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, ":", -1);
    guint n_words = g_strv_length(words);
    bool read_only = n_words > 0 && g_str_equal(words[0], "ro");
    bool has_overlay = n_words == 4 && g_str_equal(words[0], "cow");
    if (!has_overlay && (n_words != 3 || (!read_only && !g_str_equal(words[0], "rw"))))
        return NULL;
    g_autofree char *source = g_uri_unescape_string(words[1], NULL);
    g_autofree char *target = g_uri_unescape_string(words[2], NULL);
    g_autofree char *overlay = has_overlay ? g_uri_unescape_string(words[3], NULL) : NULL;
    if (source == NULL || target == NULL || !berth_share_is_path(source) ||
        !berth_share_is_path(target) ||
        (has_overlay && (overlay == NULL || !berth_share_is_path(overlay))))
        return NULL;
    BerthShare *share = berth_share_new(source, target, read_only);
    share->overlay = g_steal_pointer(&overlay);
    return share;
}
