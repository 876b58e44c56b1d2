/* SPDX-License-Identifier: MIT */
#include "strip.h"

#include "base/error.h"
#include "base/text.h"

#include <string.h>

void berth_strip_clear(BerthStrip *strip)
{
    g_clear_pointer(&strip->directory, g_free);
}

/* The part of @path below the directory: "" for the directory itself, NULL when outside it. */
static const char *below(const BerthStrip *strip, const char *path)
{
    gsize length = strlen(strip->directory);
    if (strncmp(path, strip->directory, length) != 0)
        return NULL;
    if (path[length] == '\0')
        return path + length;
    return path[length] == '/' ? path + length + 1 : NULL;
}

static bool set_several(const BerthStrip *strip, const char *path, GError **error)
{
    g_autofree char *first = berth_text_escape(strip->directory);
    g_autofree char *other = g_strndup(path, strcspn(path, "/"));
    g_autofree char *second = berth_text_escape(other);
    berth_error_set(error, BERTH_ERROR_INVALID, "import.strip-root.several",
                    "if the root is the top of the archive, import it without --strip-root",
                    "the archive has the directories %s and %s at its top, not one", first, second);
    return false;
}

static bool strip_target(const BerthStrip *strip, BerthEntry *entry, GError **error)
{
    const char *rest = below(strip, entry->target);
    if (rest == NULL || rest[0] == '\0') {
        g_autofree char *target = berth_text_escape(entry->target);
        g_autofree char *directory = berth_text_escape(strip->directory);
        berth_error_set(error, BERTH_ERROR_INVALID, "import.strip-root.link", NULL,
                        "it is a hard link to %s, which is not below %s", target, directory);
        return false;
    }
    memmove(entry->target, rest, strlen(rest) + 1);
    return true;
}

bool berth_strip_apply(BerthStrip *strip, BerthEntry *entry, bool *ret_skip, GError **error)
{
    bool is_top = strchr(entry->path, '/') == NULL;
    if (is_top && entry->type != BERTH_ENTRY_DIRECTORY) {
        strip->left_out++;
        *ret_skip = true;
        return true;
    }
    if (entry->path[0] == '\0') { /* the archive's own "./" */
        *ret_skip = true;
        return true;
    }

    if (strip->directory == NULL)
        strip->directory = g_strndup(entry->path, strcspn(entry->path, "/"));
    const char *rest = below(strip, entry->path);
    if (rest == NULL)
        return set_several(strip, entry->path, error);
    if (entry->type == BERTH_ENTRY_HARDLINK && !strip_target(strip, entry, error))
        return false;
    memmove(entry->path, rest, strlen(rest) + 1);
    *ret_skip = false;
    return true;
}
