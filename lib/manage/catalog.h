/* SPDX-License-Identifier: MIT
 *
 * catalog — what can be installed by name: the user's own lists, berth's templates, the public
 * list.
 *
 * Lists are manifests of WSL's format behind URLs. berth-fetch downloads and parses them; the last
 * good copy of each is kept and used while the list cannot be read.
 *
 * Errors: "fetch.cancelled", "offer.not-found"; BERTH_ERROR_NOT_FOUND, "catalog.offline".
 */
#pragma once

#include "model/offer.h"
#include "store/layout.h"
#include "work.h"

G_BEGIN_DECLS

typedef struct {
    GPtrArray *offers;  /* BerthOffer *, those of the user's lists first */
    GPtrArray *notices; /* char *: lists that could not be read, or only as an older copy */
    char *unread;       /* why a list could not be read; NULL if all were */
} BerthCatalog;

void berth_catalog_free(BerthCatalog *catalog);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthCatalog, berth_catalog_free)

/* Read the lists behind @own and @public (URLs; @own is NULL-terminated). Fails only when
 * cancelled. */
BerthCatalog *berth_catalog_read(const BerthLayout *layout, const char *const *own,
                                 const char *public, const BerthWatch *watch, GError **error);

/* The offer called @name; borrowed. */
const BerthOffer *berth_catalog_find(const BerthCatalog *catalog, const char *name, GError **error);

/* The SHA-256 of @offer's file, from its file of checksums if it has one; NULL if there is none.
 * Free with g_free. Errors: BERTH_ERROR_INVALID, "fetch.sums"; download.h's. */
bool berth_catalog_digest(const BerthLayout *layout, const BerthOffer *offer,
                          const BerthWatch *watch, char **ret_sha256, GError **error);

G_END_DECLS
