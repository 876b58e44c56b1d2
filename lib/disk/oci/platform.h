/* SPDX-License-Identifier: MIT
 *
 * platform — chooses the image for a platform from an archive with several.
 *
 * Offer images of other platforms too, so that an error can list them.
 *
 * Errors: BERTH_ERROR_INVALID, "import.image.platform" and "import.image.several".
 */
#pragma once

#include "oci.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* An image. Pointers are borrowed and must outlive the choice. */
typedef struct {
    guint top;             /* the index of its entry in the outermost index */
    const char *key;       /* equal for equal images */
    const char *reference; /* its name, or NULL */
    gconstpointer source;  /* the caller's own */
    guint rank;            /* set by the callee */
} BerthCandidate;

typedef struct {
    const char *architecture; /* wanted */
    GArray *candidates;       /* BerthCandidate */
    GPtrArray *offers;        /* char *, descriptions of everything offered */
} BerthPlatformChoice;

/* @architecture is borrowed. */
void berth_platform_init(BerthPlatformChoice *choice, const char *architecture);
void berth_platform_clear(BerthPlatformChoice *choice);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthPlatformChoice, berth_platform_clear)

void berth_platform_offer(BerthPlatformChoice *choice, const BerthOciPlatform *platform,
                          const BerthCandidate *candidate);

/* Record content that is not a container image, as @words, for the error. May be unprintable. */
void berth_platform_offer_other(BerthPlatformChoice *choice, const char *words);

/* Choose the best match. Of equal ranks within one index the first wins, as in registries; equal
 * ranks of different images are an error. */
const BerthCandidate *berth_platform_choose(const BerthPlatformChoice *choice, GError **error);

G_END_DECLS
