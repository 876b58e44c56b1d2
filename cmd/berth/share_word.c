/* SPDX-License-Identifier: MIT */
#include "share_word.h"

#include "base/error.h"
#include "base/size.h"

#include <string.h>

#define QUOTA "quota="

void share_word_clear(ShareWord *word)
{
    g_clear_pointer(&word->path, g_free);
    g_clear_pointer(&word->target, g_free);
}

static ShareWord copy(const ShareWord *word)
{
    ShareWord made = *word;
    made.path = g_strdup(word->path);
    made.target = g_strdup(word->target);
    return made;
}

/* Take @part, the end of the word, as an option or as GUESTPATH. False: it can be neither, so the
 * colon before it belongs to PATH. */
static bool take_part(ShareWord *word, const char *part)
{
    if (word->target == NULL && part[0] == '/') {
        word->target = g_strdup(part);
        return true;
    }
    if (word->target != NULL)
        return false; /* options follow GUESTPATH */
    if (!word->read_only && g_str_equal(part, "ro"))
        return word->read_only = true;
    return word->quota == 0 && g_str_has_prefix(part, QUOTA) &&
           berth_size_parse(part + strlen(QUOTA), &word->quota) && word->quota - 1 < G_MAXINT64;
}

/* Move the end of @word's path to its last colon. False: this is no reading of the word. */
static bool shorten(ShareWord *word)
{
    char *colon = strrchr(word->path, ':');
    if (colon == NULL || colon == word->path || !take_part(word, colon + 1))
        return false;
    *colon = '\0';
    return true;
}

static bool exists(const char *path)
{
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static bool refuse_readings(const char *text, const char *longer, const char *shorter,
                            GError **error)
{
    berth_error_set(error, BERTH_ERROR_INVALID, "share.colon",
                    "give the target as a word of its own: berth share add NAME DIR TARGET",
                    "%s has two meanings: both %s and %s exist", text, longer, shorter);
    return false;
}

/* Whether some part of @text before a colon exists. */
static bool begins_with_path(const char *text)
{
    for (const char *colon = strchr(text, ':'); colon != NULL; colon = strchr(colon + 1, ':')) {
        g_autofree char *path = g_strndup(text, (gsize)(colon - text));
        if (exists(path))
            return true;
    }
    return false;
}

/* No reading exists: refuse the word if its fault is an option, not its path. */
static bool check_option(const ShareWord *shortest, GError **error)
{
    const char *colon = strrchr(shortest->path, ':');
    if (colon == NULL || strchr(colon, '/') != NULL || !begins_with_path(shortest->path))
        return true;
    berth_error_set(error, BERTH_ERROR_INVALID, "share.option",
                    "write PATH:ro, PATH:GUESTPATH:ro or PATH:quota=4G",
                    "\"%s\" is no option of a share here", colon + 1);
    return false;
}

bool share_word_parse(const char *text, ShareWord *ret_word, GError **error)
{
    g_auto(ShareWord) reading = {.path = g_strdup(text)};
    g_auto(ShareWord) found = {0};
    do {
        if (!exists(reading.path))
            continue;
        if (found.path != NULL)
            return refuse_readings(text, found.path, reading.path, error);
        found = copy(&reading);
    } while (shorten(&reading));
    if (found.path == NULL && !check_option(&reading, error))
        return false;
    ShareWord *chosen = found.path != NULL ? &found : &reading;
    *ret_word = *chosen;
    *chosen = (ShareWord){0};
    return true;
}
