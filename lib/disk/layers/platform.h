/* SPDX-License-Identifier: MIT
 *
 * choice — which image of an archive that holds several is the one to take.
 *
 * Images of other platforms are offered too, so that an error can say what there is.
 *
 * Errors: BERTH_ERROR_INVALID, "import.image.platform" and "import.image.several".
 */
#pragma once

#include "oci.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* An image: all borrowed, and good as long as the choice. */
typedef struct {
    guint top;             /* the entry of the outermost index it was found through */
    const char *key;       /* equal for equal images */
    const char *reference; /* its name, or NULL */
    gconstpointer source;  /* the caller's own */
    guint rank;            /* set by the choice */
} BerthCandidate;

typedef struct {
    const char *architecture; /* wanted */
    GArray *candidates;       /* BerthCandidate */
    GPtrArray *offers;        /* char *, the platforms there are, and what else */
} BerthPlatformChoice;

/* @architecture is borrowed. */
void berth_platform_init(BerthPlatformChoice *choice, const char *architecture);
void berth_platform_clear(BerthPlatformChoice *choice);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthPlatformChoice, berth_platform_clear)

void berth_platform_offer(BerthPlatformChoice *choice, const BerthOciPlatform *platform,
                          const BerthCandidate *candidate);

/* There is also something that is no image of a container: @words, printable or not. */
void berth_platform_offer_other(BerthPlatformChoice *choice, const char *words);

/* The best of what was offered. Within one index the first of equals counts, as registries have it;
 * equals of different images are for the user to tell apart: an error. */
const BerthCandidate *berth_platform_choose(const BerthPlatformChoice *choice, GError **error);

G_END_DECLS
