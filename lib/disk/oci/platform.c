/* SPDX-License-Identifier: MIT */
#include "platform.h"

#include "base/error.h"
#include "base/text.h"

#include <string.h>

#define OFFERS_SHOWN 20U

void berth_platform_init(BerthPlatformChoice *choice, const char *architecture)
{
    choice->architecture = architecture;
    choice->candidates = g_array_new(false, false, sizeof(BerthCandidate));
    choice->offers = g_ptr_array_new_with_free_func(g_free);
}

void berth_platform_clear(BerthPlatformChoice *choice)
{
    g_array_unref(choice->candidates);
    g_ptr_array_unref(choice->offers);
}

void berth_platform_offer_other(BerthPlatformChoice *choice, const char *words)
{
    if (!g_ptr_array_find_with_equal_func(choice->offers, words, g_str_equal, NULL))
        g_ptr_array_add(choice->offers, g_strdup(words));
}

void berth_platform_offer(BerthPlatformChoice *choice, const BerthOciPlatform *platform,
                          const BerthCandidate *candidate)
{
    g_autofree char *words = berth_oci_platform_format(platform);
    berth_platform_offer_other(choice, words);
    BerthCandidate ranked = *candidate;
    ranked.rank = berth_oci_platform_rank(platform, choice->architecture);
    if (ranked.rank > 0)
        g_array_append_val(choice->candidates, ranked);
}

static void fail_platform(const BerthPlatformChoice *choice, GError **error)
{
    g_autoptr(GString) list = g_string_new(NULL);
    for (guint i = 0; i < choice->offers->len && i < OFFERS_SHOWN; i++)
        g_string_append_printf(list, "%s%s", i == 0 ? "" : ", ",
                               (const char *)choice->offers->pdata[i]);
    g_autofree char *shown = berth_text_escape(list->len > 0 ? list->str : "no platform at all");
    berth_error_set(error, BERTH_ERROR_INVALID, "import.image.platform",
                    "fetch or save the image for this machine's platform",
                    "it has no image for linux/%s, only for: %s", choice->architecture, shown);
}

static void fail_several(const BerthPlatformChoice *choice, guint rank, GError **error)
{
    g_autoptr(GString) list = g_string_new(NULL);
    for (guint i = 0; i < choice->candidates->len; i++) {
        const BerthCandidate *candidate = &g_array_index(choice->candidates, BerthCandidate, i);
        const char *name =
            candidate->reference != NULL ? candidate->reference : "one without a name";
        if (candidate->rank == rank)
            g_string_append_printf(list, "%s%s", list->len == 0 ? "" : ", ", name);
    }
    g_autofree char *shown = berth_text_escape(list->str);
    berth_error_set(error, BERTH_ERROR_INVALID, "import.image.several",
                    "save one image into an archive of its own", "it holds several images: %s",
                    shown);
}

const BerthCandidate *berth_platform_choose(const BerthPlatformChoice *choice, GError **error)
{
    const BerthCandidate *best = NULL;
    for (guint i = 0; i < choice->candidates->len; i++) {
        const BerthCandidate *candidate = &g_array_index(choice->candidates, BerthCandidate, i);
        if (best == NULL || candidate->rank > best->rank)
            best = candidate;
    }
    if (best == NULL) {
        fail_platform(choice, error);
        return NULL;
    }
    for (guint i = 0; i < choice->candidates->len; i++) {
        const BerthCandidate *other = &g_array_index(choice->candidates, BerthCandidate, i);
        if (other->rank != best->rank || other->top == best->top ||
            strcmp(other->key, best->key) == 0)
            continue;
        fail_several(choice, best->rank, error);
        return NULL;
    }
    return best;
}
