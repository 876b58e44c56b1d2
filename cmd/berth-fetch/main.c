/* SPDX-License-Identifier: MIT
 *
 * berth-fetch VERB [KEY=VALUE]... — downloads in a confined process that has its descriptors and
 * TCP (lib/fetch/confine_fetch.h). berth starts it with the descriptors of lib/disk/file/status.h
 * and reads its results from the status descriptor: the size, and the SHA-256 as four numbers,
 * each of eight bytes, the first byte the highest.
 *
 *     berth-fetch get url=https://... sha256=... 4<>file 5>&1
 *     berth-fetch resolve base=https://... repository=library/debian reference=12 5>&1
 *     berth-fetch image base=https://... repository=library/debian reference=sha256:... 4<>file
 * 5>&1 berth-fetch list 3<DistributionInfo.json 4<>lines 5>&1
 */
#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "disk/file/status.h"
#include "fetch/certificates.h"
#include "fetch/confine_fetch.h"
#include "fetch/image.h"
#include "fetch/manifest.h"
#include "fetch/resolver.h"
#include "model/fields.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define RESOLVER_FD (BERTH_IMAGE_STATUS_SPOOL_FD + 1)

typedef struct {
    char *url;
    char *sha256;
    char *base;
    char *repository;
    char *reference;
    guint64 size_max;
    guint stall_sec;
    guint backoff_msec;
    guint tries;
} Options;

static const BerthField get_fields[] = {
    {"url", BERTH_FIELD_STRING, offsetof(Options, url)},
    {"sha256", BERTH_FIELD_STRING, offsetof(Options, sha256)},
    {"base", BERTH_FIELD_STRING, offsetof(Options, base)}, /* of a registry */
    {"repository", BERTH_FIELD_STRING, offsetof(Options, repository)},
    {"reference", BERTH_FIELD_STRING, offsetof(Options, reference)},
    {"size-max", BERTH_FIELD_SIZE, offsetof(Options, size_max), "64G"},
    {"stall", BERTH_FIELD_UINT, offsetof(Options, stall_sec), "30", 1, 3600},
    {"backoff", BERTH_FIELD_UINT, offsetof(Options, backoff_msec), "500", 1, 60000},
    {"tries", BERTH_FIELD_UINT, offsetof(Options, tries), "6", 1, 100},
    {NULL},
};

static bool on_progress(const BerthProgress *progress, gpointer user_data)
{
    return berth_image_status_send_progress(BERTH_IMAGE_STATUS_FD, progress);
}

static bool send_report(const BerthFetchReport *report)
{
    guint64 numbers[1 + BERTH_SHA256_SIZE / sizeof(guint64)] = {report->size};
    for (guint i = 0; i < BERTH_SHA256_SIZE; i++) {
        guint64 *number = &numbers[1 + i / sizeof(guint64)];
        *number = *number << 8 | report->digest[i];
    }
    return berth_image_status_send_report(BERTH_IMAGE_STATUS_FD, numbers, G_N_ELEMENTS(numbers));
}

/* The resolver gets a number below those that confinement closes. */
static bool confine(GError **error)
{
    int resolver = berth_fetch_resolver_start(error);
    if (resolver < 0)
        return false;
    if (dup2(resolver, RESOLVER_FD) < 0)
        return false;
    return berth_fetch_confine(RESOLVER_FD, error);
}

/* Parse the options that all downloads take, and confine the process. The request borrows
 * *@ret_certificates. */
static bool begin(char **words, Options *options, BerthFetchRequest *ret_request,
                  GBytes **ret_certificates, GError **error)
{
    *ret_certificates = berth_fetch_certificates_read();
    if (!berth_fields_parse_words(get_fields, options, words, "fetch.worker.usage", "berth-fetch",
                                  error) ||
        !berth_fetch_prepare(error) || !confine(error))
        return false;
    *ret_request = (BerthFetchRequest){
        .url = options->url != NULL ? options->url : "",
        .sha256 = options->sha256,
        .size_max = options->size_max,
        .stall_sec = options->stall_sec,
        .backoff_msec = options->backoff_msec,
        .tries = options->tries,
        .output = BERTH_IMAGE_STATUS_OUTPUT_FD,
        .caller = BERTH_IMAGE_STATUS_FD,
        .resolver = RESOLVER_FD,
        .certificates = *ret_certificates,
    };
    return true;
}

static bool get(char **words, GError **error)
{
    Options options = {0};
    BerthFetchRequest request;
    g_autoptr(GBytes) certificates = NULL;
    g_auto(BerthFetchReport) report = {0};
    return begin(words, &options, &request, &certificates, error) &&
           berth_fetch_get(&request, on_progress, NULL, &report, error) && send_report(&report);
}

typedef bool (*RegistryWork)(BerthFetchRegistry *registry, const char *reference,
                             BerthFetchReport *report, GError **error);

/* Do @work with the registry that the options name, and report what it says. */
static bool ask_registry(char **words, RegistryWork work, GError **error)
{
    Options options = {0};
    g_autoptr(GBytes) certificates = NULL;
    BerthFetchRequest request;
    BerthFetchReport report;
    BerthFetchRegistry registry;
    if (!begin(words, &options, &request, &certificates, error))
        return false;
    if (options.base == NULL || options.repository == NULL || options.reference == NULL) {
        berth_error_set(error, BERTH_ERROR_INVALID, "fetch.worker.usage", NULL,
                        "berth-fetch: base, repository and reference are needed");
        return false;
    }
    berth_fetch_registry_init(&registry, options.base, options.repository, &request);
    bool ok = work(&registry, options.reference, &report, error);
    berth_fetch_registry_clear(&registry);
    return ok && send_report(&report);
}

/* The digest of what a tag names. */
static bool resolve(char **words, GError **error)
{
    return ask_registry(words, berth_fetch_image_resolve, error);
}

static bool get_image(BerthFetchRegistry *registry, const char *reference, BerthFetchReport *report,
                      GError **error)
{
    return berth_fetch_image_get(registry, reference, NULL, on_progress, NULL, report, error);
}

/* The image on the output descriptor, as the tar of an OCI layout. */
static bool image(char **words, GError **error)
{
    return ask_registry(words, get_image, error);
}

/* The manifest of the input descriptor, as lines on the output descriptor. */
static bool list(char **words, GError **error)
{
    if (!berth_fetch_confine(BERTH_IMAGE_STATUS_FD, error))
        return false;
    g_autofree char *json = g_malloc(BERTH_FETCH_MANIFEST_MAX + 1);
    gsize size = 0;
    for (ssize_t got = 1; got > 0 && size <= BERTH_FETCH_MANIFEST_MAX; size += (gsize)MAX(got, 0))
        got = read(BERTH_IMAGE_STATUS_INPUT_FD, json + size, BERTH_FETCH_MANIFEST_MAX + 1 - size);
    g_autofree char *lines = berth_fetch_manifest_lines(json, size, "Amd64", error);
    const guint64 length = lines != NULL ? strlen(lines) : 0;
    return lines != NULL && berth_fd_write_all(BERTH_IMAGE_STATUS_OUTPUT_FD, lines, length) == 0 &&
           berth_image_status_send_report(BERTH_IMAGE_STATUS_FD, &length, 1);
}

static bool run(int argc, char **argv, GError **error)
{
    static const struct {
        const char *name;
        bool (*run)(char **words, GError **error);
    } verbs[] = {{"get", get}, {"resolve", resolve}, {"image", image}, {"list", list}};
    for (gsize i = 0; argc > 1 && i < G_N_ELEMENTS(verbs); i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(argv + 2, error);
    berth_error_set(error, BERTH_ERROR_INVALID, "fetch.worker.usage", NULL,
                    "usage: berth-fetch get|resolve|image|list [KEY=VALUE]... (started by berth)");
    return false;
}

int main(int argc, char **argv)
{
    if (!berth_process_begin_worker(BERTH_IMAGE_STATUS_FD))
        return 1;

    g_autoptr(GError) error = NULL;
    if (run(argc, argv, &error))
        return 0;
    if (error != NULL)
        berth_image_status_send_error(BERTH_IMAGE_STATUS_FD, error);
    return 1;
}
