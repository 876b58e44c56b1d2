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
} BerthChoice;

/* @architecture is borrowed. */
void berth_choice_init(BerthChoice *choice, const char *architecture);
void berth_choice_clear(BerthChoice *choice);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthChoice, berth_choice_clear)

void berth_choice_offer(BerthChoice *choice, const BerthOciPlatform *platform,
                        const BerthCandidate *candidate);

/* There is also something that is no image of a container: @words, printable or not. */
void berth_choice_offer_other(BerthChoice *choice, const char *words);

/* The best of what was offered. Within one index the first of equals counts, as registries have it;
 * equals of different images are for the user to tell apart: an error. */
const BerthCandidate *berth_choice_make(const BerthChoice *choice, GError **error);

G_END_DECLS
