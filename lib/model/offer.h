/* SPDX-License-Identifier: MIT
 *
 * offer — distros that can be installed by name, and how a name finds one.
 *
 * A list is text with one offer a line, fields divided by tabs: flavour, name, title,
 * "default" or "", URL, SHA-256 or "", and if there are any, mirrors divided by spaces. berth-fetch
 * makes it of a manifest that may be anybody's, so the reader checks each field. Owns its strings.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct {
    char *flavour;   /* "Ubuntu" */
    char *name;      /* "Ubuntu-24.04"; a valid name of a distro */
    char *title;     /* "Ubuntu 24.04 LTS" */
    bool is_default; /* of its flavour */
    char *url;       /* http, https or file */
    char **mirrors;  /* others of the same file, tried in this order when that one fails: http or
                        https; or NULL */
    char *sha256;    /* 64 lower-case hexadecimal digits, or NULL */
    char *sums;      /* URL of a file with checksums, or NULL */
    char *source;    /* the list that has it */
    bool strip_root; /* the root is below the archive's only top directory */
} BerthOffer;

void berth_offer_free(BerthOffer *offer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthOffer, berth_offer_free)

/* An empty list, BerthOffer *; free with g_ptr_array_unref. */
GPtrArray *berth_offers_new(void);

/* Add what the list @text of @source offers; false, and nothing is added, if a line is malformed.
 */
bool berth_offers_add(GPtrArray *offers, const char *text, const char *source);

/* Add what the key file @text describes (templates/distros/README). Errors: BERTH_ERROR_INVALID,
 * "offer.syntax". */
bool berth_offers_add_file(GPtrArray *offers, const char *text, const char *source, GError **error);

/* The offer called @name, in any case: a flavour means its default. The first of equal names wins.
 * Borrowed. Errors: BERTH_ERROR_NOT_FOUND, "offer.not-found", with a near miss in its hint. */
const BerthOffer *berth_offers_find(const GPtrArray *offers, const char *name, GError **error);

/* The digest of the file called as @url's last component in @text, which has the lines of sha256sum
 * ("HEX  NAME") or of BSD ("SHA256 (NAME) = HEX"), or nothing but the digest; NULL if none. Free
 * with g_free. */
char *berth_offer_read_sum(const char *text, const char *url);

G_END_DECLS
