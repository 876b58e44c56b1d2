/* SPDX-License-Identifier: MIT */
#include "export_format.h"

#include "base/error.h"
#include "base/text.h"
#include "words/nearest.h"

#include <string.h>

static const struct {
    BerthExportFormat format;
    const char *word;
    const char *suffixes[5];
} formats[] = {
    {BERTH_EXPORT_TAR, "tar", {".tar"}},
    {BERTH_EXPORT_TAR_GZIP, "tar.gz", {".tar.gz", ".tgz", ".wsl"}},
    {BERTH_EXPORT_TAR_XZ, "tar.xz", {".tar.xz", ".txz"}},
    {BERTH_EXPORT_TAR_ZSTD, "tar.zst", {".tar.zst", ".tzst"}},
    {BERTH_EXPORT_EXT4, "ext4", {".ext4", ".img"}},
};

static char *advise(const char *word)
{
    if (g_str_has_prefix(word, "vhd"))
        return g_strdup("export as ext4, then: qemu-img convert -O vhdx FILE.ext4 FILE.vhdx");
    Nearest nearest = {.word = word};
    for (gsize i = 0; i < G_N_ELEMENTS(formats); i++)
        nearest_offer(&nearest, formats[i].word);
    return nearest.closest != NULL ? g_strdup_printf("did you mean %s?", nearest.closest)
                                   : g_strdup("give one of tar, tar.gz, tar.xz, tar.zst and ext4");
}

bool berth_export_format_parse(const char *word, BerthExportFormat *ret_format, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(formats); i++) {
        if (strcmp(formats[i].word, word) != 0)
            continue;
        *ret_format = formats[i].format;
        return true;
    }
    g_autofree char *hint = advise(word);
    g_autofree char *shown = berth_text_escape(word);
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", hint,
                    "--format: unknown format \"%s\"", shown);
    return false;
}

const char *berth_export_format_word(BerthExportFormat format)
{
    return formats[format].word;
}

static bool has_suffix(const char *path, const char *suffix)
{
    gsize length = strlen(path);
    gsize end = strlen(suffix);
    return length > end && g_ascii_strcasecmp(path + length - end, suffix) == 0;
}

bool berth_export_format_guess(const char *path, BerthExportFormat *ret_format)
{
    for (gsize i = 0; i < G_N_ELEMENTS(formats); i++)
        for (gsize j = 0; formats[i].suffixes[j] != NULL; j++)
            if (has_suffix(path, formats[i].suffixes[j])) {
                *ret_format = formats[i].format;
                return true;
            }
    return false;
}
