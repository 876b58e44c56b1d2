/* SPDX-License-Identifier: MIT
 *
 * berth_online — distros that can be installed. A part of the public interface (berth.h).
 */
#pragma once

#include "berth_archive.h"
#include "berth_handle.h"

G_BEGIN_DECLS

typedef struct {
    char *flavour; /* "Ubuntu" */
    char *name;    /* "Ubuntu-24.04", also the new distro's unless the user chooses another; NULL
                      for an URL of the user's */
    char *title;   /* "Ubuntu 24.04 LTS" */
    bool is_default;
    char *url;
    char **mirrors; /* other URLs of the same file, tried in this order when that one fails; or
                       NULL */
    char *image;    /* "docker.io/library/debian:12", a container image of a registry; NULL: a file
                       behind the URL */
    char *sha256;   /* lower case, or NULL */
    char *sums;     /* URL of a file with checksums, or NULL */
    char *source;   /* the list that has it */
    bool strip_root;
} BerthOnline;

void berth_online_free(BerthOnline *online);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthOnline, berth_online_free)

typedef struct {
    BerthWorkFunc progress;
    void (*notice)(const char *text, gpointer user_data); /* a line for the user */
    gpointer user_data;
} BerthOnlineWatch;

/* List the distros of the user's lists, berth's own descriptions and the public list: BerthOnline*;
 * free with g_ptr_array_unref. A list that cannot be read is a notice. Errors: "config.*",
 * "fetch.cancelled". */
GPtrArray *berth_online(Berth *berth, const BerthOnlineWatch *watch, GError **error);

/* The one called @name, a flavour or a version in any case; or, without any list, the container
 * image "oci:NAME:TAG" or a name with a slash, a colon or an at sign, as docker takes it. Errors:
 * also "offer.not-found", "catalog.offline", "image.reference". */
BerthOnline *berth_online_find(Berth *berth, const char *name, const BerthOnlineWatch *watch,
                               GError **error);

/* Make a distro of it, as berth_import: downloaded, or kept from before, with its digest checked; a
 * file is imported while it arrives. Only url, mirrors, image, sha256 and sums of @online are used,
 * and of @import neither fd nor origin, path and image. Errors: those of berth_import, "fetch.*".
 */
bool berth_online_import(Berth *berth, const BerthOnline *online, const BerthImport *import,
                         BerthImported *ret_imported, GError **error);

/* Whether a new distro may be called @name. Errors: "name.*", "registry.exists". */
bool berth_online_check_name(Berth *berth, const char *name, GError **error);

G_END_DECLS
