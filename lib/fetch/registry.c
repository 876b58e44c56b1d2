/* SPDX-License-Identifier: MIT */
#include "registry.h"

#include "base/error.h"
#include "challenge.h"
#include "hosts.h"
#include "words/nearest.h"

#include <string.h>

#define TOKEN_MAX  (1U << 14)             /* bytes of the answer that has it */
#define TAGS_MAX   BERTH_OCI_DOCUMENT_MAX /* of the list of tags */
#define TAGS_SHOWN 8U
#define SHA256     "sha256:"

#define MANIFESTS                                                                                  \
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "        \
    "application/vnd.docker.distribution.manifest.list.v2+json, "                                  \
    "application/vnd.docker.distribution.manifest.v2+json"

void berth_fetch_registry_init(BerthFetchRegistry *registry, const char *base,
                               const char *repository, const BerthFetchRequest *how)
{
    *registry = (BerthFetchRegistry){.base = base, .repository = repository, .how = *how};
    g_mutex_init(&registry->resolving);
    g_mutex_init(&registry->lock);
}

void berth_fetch_registry_clear(BerthFetchRegistry *registry)
{
    g_mutex_clear(&registry->resolving);
    g_mutex_clear(&registry->lock);
    g_clear_pointer(&registry->token, g_free);
}

static bool on_nothing(const BerthProgress *progress, gpointer unused)
{
    return true;
}

/* --- tokens --- */

static bool fail_token(GError **error, const char *url, const char *why)
{
    g_autofree char *shown = berth_fetch_hosts_show(url);
    berth_error_set(error, BERTH_ERROR_INVALID, "fetch.image.token", NULL, "%s: %s", shown, why);
    return false;
}

/* Whether @token can be a header's value. */
static bool is_printable(const char *token)
{
    bool printable = token[0] != '\0';
    for (const char *at = token; *at != '\0'; at++)
        printable = printable && g_ascii_isgraph(*at);
    return printable;
}

static char *fetch_token(BerthFetchRegistry *registry, const char *realm, const char *url,
                         GError **error)
{
    bool inside = g_str_has_prefix(registry->base, "http://");
    if (!berth_fetch_hosts_is_secure(realm) || (!inside && !g_str_has_prefix(realm, "https://")))
        return fail_token(
                   error, realm,
                   "the registry requires a token from a server without a secure connection"),
               NULL;
    g_autoptr(GByteArray) text = g_byte_array_new();
    g_auto(BerthFetchReport) report = {0};
    BerthFetchRequest request = registry->how;
    request.url = url;
    request.output = -1;
    request.memory = text;
    request.size_max = TOKEN_MAX;
    request.resolving = &registry->resolving;
    if (!berth_fetch_get(&request, on_nothing, NULL, &report, error))
        return NULL;
    g_autofree char *token = berth_oci_parse_token((const char *)text->data, text->len, error);
    if (token == NULL) {
        g_prefix_error(error, "%s: ", realm);
        return NULL;
    }
    if (!is_printable(token))
        return fail_token(error, realm, "the token has characters that no token has"), NULL;
    return g_steal_pointer(&token);
}

/* Get another token than @used, which the registry refused with @value. */
static bool renew_token(BerthFetchRegistry *registry, const char *value, const char *used,
                        GError **error)
{
    g_auto(BerthFetchChallenge) challenge = {0};
    if (!berth_fetch_challenge_parse(value, &challenge)) {
        berth_error_set(error, BERTH_ERROR_DENIED, "fetch.image.denied", NULL,
                        "%s: the registry requires a login, which berth does not support",
                        registry->base);
        return false;
    }
    g_mutex_lock(&registry->lock);
    bool ok = g_strcmp0(registry->token, used) != 0; /* another thread was here */
    if (!ok) {
        g_autofree char *url = berth_fetch_challenge_url(&challenge, registry->repository);
        char *token = fetch_token(registry, challenge.realm, url, error);
        ok = token != NULL;
        if (ok) {
            g_free(registry->token);
            registry->token = token;
        }
    }
    g_mutex_unlock(&registry->lock);
    return ok;
}

static char *copy_token(BerthFetchRegistry *registry)
{
    g_mutex_lock(&registry->lock);
    char *token = g_strdup(registry->token);
    g_mutex_unlock(&registry->lock);
    return token;
}

/* --- requests --- */

/* "fetch.missing" speaks of lists of distros. */
static bool set_problem(const char *url, GError *problem, GError **error)
{
    if (strcmp(berth_error_id(problem), "fetch.missing") == 0) {
        berth_error_set(error, BERTH_ERROR_NOT_FOUND, "fetch.image.missing",
                        "try again later, or another tag",
                        "%s: the registry does not have it (HTTP status 404)", url);
        g_error_free(problem);
    } else {
        g_propagate_error(error, problem);
    }
    return false;
}

static bool set_denied(const BerthFetchRegistry *registry, GError **error)
{
    g_clear_error(error);
    berth_error_set(error, BERTH_ERROR_DENIED, "fetch.image.denied",
                    "check the name; an image that needs a login: docker save IMAGE | berth "
                    "install --name NAME --from-file -",
                    "%s/v2/%s: there is no such image, or it is not for everybody", registry->base,
                    registry->repository);
    return false;
}

/* As berth_fetch_get, with a token if the registry wants one. Its progress begins again then. */
static bool get(BerthFetchRegistry *registry, BerthFetchRequest *request,
                BerthProgressFunc progress, gpointer user_data, BerthFetchReport *ret_report,
                GError **error)
{
    for (guint attempt = 0;; attempt++) {
        g_autoptr(GError) problem = NULL;
        g_autofree char *token = copy_token(registry);
        request->bearer = token;
        request->resolving = &registry->resolving;
        berth_fetch_report_clear(ret_report);
        bool ok = berth_fetch_get(request, progress, user_data, ret_report, &problem);
        request->bearer = NULL;
        if (ok)
            return true;
        if (ret_report->challenge == NULL || !berth_error_is(problem, BERTH_ERROR_DENIED))
            return set_problem(request->url, g_steal_pointer(&problem), error);
        if (attempt > 0)
            return set_denied(registry, error);
        g_clear_error(&problem);
        if (!renew_token(registry, ret_report->challenge, token, &problem)) {
            if (berth_error_is(problem, BERTH_ERROR_DENIED))
                return set_denied(registry, error);
            g_propagate_error(error, g_steal_pointer(&problem));
            return false;
        }
    }
}

/* "BASE/v2/REPOSITORY/KIND/NAME" */
static char *url_of(const BerthFetchRegistry *registry, const char *kind, const char *name)
{
    return g_strdup_printf("%s/v2/%s/%s/%s", registry->base, registry->repository, kind, name);
}

static GByteArray *get_text(BerthFetchRegistry *registry, const char *url, const char *accept,
                            const char *sha256, gsize size_max, char **ret_type, GError **error)
{
    g_autoptr(GByteArray) text = g_byte_array_new();
    g_auto(BerthFetchReport) report = {0};
    BerthFetchRequest request = registry->how;
    request.url = url;
    request.accept = accept;
    request.sha256 = sha256;
    request.output = -1;
    request.memory = text;
    request.size_max = size_max;
    if (!get(registry, &request, on_nothing, NULL, &report, error))
        return NULL;
    if (ret_type != NULL)
        *ret_type = g_steal_pointer(&report.media_type);
    return g_steal_pointer(&text);
}

/* --- manifests --- */

/* A hint that names the registry's tags closest to @tag. Free with g_free. */
static char *make_hint(BerthFetchRegistry *registry, const char *tag)
{
    g_autofree char *url = url_of(registry, "tags", "list");
    g_autoptr(GByteArray) text = get_text(registry, url, NULL, NULL, TAGS_MAX, NULL, NULL);
    g_autoptr(GPtrArray) tags =
        text != NULL ? berth_oci_parse_tags((const char *)text->data, text->len, NULL) : NULL;
    if (tags == NULL)
        return g_strdup("check the name of the image");
    Nearest nearest = {.word = tag};
    for (guint i = 0; i < tags->len; i++)
        nearest_offer(&nearest, tags->pdata[i]);
    if (nearest.closest != NULL)
        return g_strdup_printf("did you mean the tag %s?", nearest.closest);
    g_autoptr(GString) list = g_string_new("the registry has the tags ");
    for (guint i = 0; i < tags->len && i < TAGS_SHOWN; i++)
        g_string_append_printf(list, "%s%s", i > 0 ? ", " : "", (const char *)tags->pdata[i]);
    if (tags->len > TAGS_SHOWN)
        g_string_append_printf(list, " and %u more", tags->len - TAGS_SHOWN);
    return tags->len > 0 ? g_strdup(list->str) : g_strdup("check the name of the image");
}

static void set_missing(BerthFetchRegistry *registry, const char *reference, GError **error)
{
    bool digest = g_str_has_prefix(reference, SHA256);
    g_autofree char *hint =
        digest ? g_strdup("the image may have been deleted: use a tag instead of the digest")
               : make_hint(registry, reference);
    berth_error_set(error, BERTH_ERROR_NOT_FOUND, "fetch.image.missing", hint,
                    "%s: the registry has no image %s%s%s", registry->base, registry->repository,
                    digest ? "@" : ":", reference);
}

static GByteArray *get_manifest(BerthFetchRegistry *registry, const char *reference,
                                const char *digits, gsize size_max, char **ret_type, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *url = url_of(registry, "manifests", reference);
    GByteArray *text = get_text(registry, url, MANIFESTS, digits, size_max, ret_type, &problem);
    if (text == NULL && strcmp(berth_error_id(problem), "fetch.image.missing") == 0)
        set_missing(registry, reference, error);
    else if (text == NULL)
        g_propagate_error(error, g_steal_pointer(&problem));
    return text;
}

GByteArray *berth_fetch_registry_manifest(BerthFetchRegistry *registry, const char *reference,
                                          char **ret_type, GError **error)
{
    return get_manifest(registry, reference, berth_oci_digits(reference), BERTH_OCI_DOCUMENT_MAX,
                        ret_type, error);
}

/* --- what has a descriptor --- */

static bool check_size(const BerthOciDescriptor *descriptor, guint64 size, const char *url,
                       GError **error)
{
    if (size == descriptor->size)
        return true;
    berth_error_set(error, BERTH_ERROR_INVALID, "fetch.image.size", NULL,
                    "%s: it has %" G_GUINT64_FORMAT " bytes instead of %" G_GUINT64_FORMAT, url,
                    size, descriptor->size);
    return false;
}

GByteArray *berth_fetch_registry_document(BerthFetchRegistry *registry,
                                          const BerthOciDescriptor *descriptor, GError **error)
{
    BerthOciKind kind = berth_oci_kind(descriptor->media_type);
    bool manifest = kind == BERTH_OCI_INDEX || kind == BERTH_OCI_MANIFEST;
    g_autofree char *name = g_strconcat(SHA256, descriptor->digest, NULL);
    g_autofree char *url = url_of(registry, manifest ? "manifests" : "blobs", name);
    if (descriptor->size > BERTH_OCI_DOCUMENT_MAX) {
        berth_error_set(error, BERTH_ERROR_INVALID, "fetch.too-big", NULL,
                        "%s: it is larger than 4 MiB", url);
        return NULL;
    }
    g_autoptr(GByteArray) text = manifest ? get_manifest(registry, name, descriptor->digest,
                                                         BERTH_OCI_DOCUMENT_MAX, NULL, error)
                                          : get_text(registry, url, NULL, descriptor->digest,
                                                     BERTH_OCI_DOCUMENT_MAX, NULL, error);
    return text != NULL && check_size(descriptor, text->len, url, error) ? g_steal_pointer(&text)
                                                                         : NULL;
}

bool berth_fetch_registry_blob(BerthFetchRegistry *registry, const BerthOciDescriptor *descriptor,
                               guint64 offset, BerthProgressFunc progress, gpointer user_data,
                               GError **error)
{
    g_autofree char *name = g_strconcat(SHA256, descriptor->digest, NULL);
    g_autofree char *url = url_of(registry, "blobs", name);
    g_auto(BerthFetchReport) report = {0};
    BerthFetchRequest request = registry->how;
    request.url = url;
    request.sha256 = descriptor->digest;
    request.size_max = MAX(descriptor->size, 1); /* nothing is written beyond it */
    request.offset = offset;
    request.shared = true;
    return get(registry, &request, progress, user_data, &report, error) &&
           check_size(descriptor, report.size, url, error);
}
