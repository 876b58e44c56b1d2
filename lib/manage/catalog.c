/* SPDX-License-Identifier: MIT */
#include "catalog.h"

#include "base/error.h"
#include "base/fd.h"
#include "download.h"
#include "watch.h"
#include "worker.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIST_MAX (1 << 22) /* bytes of a manifest */
#define SUMS_MAX (1 << 20) /* of a file of checksums */

#define WAYS_OFFLINE                                                                               \
    "check the network connection; without one: berth install --name NAME --from-file FILE, or "   \
    "berth import NAME FILE"

void berth_catalog_free(BerthCatalog *catalog)
{
    if (catalog == NULL)
        return;
    g_ptr_array_unref(catalog->offers);
    g_ptr_array_unref(catalog->notices);
    g_free(catalog->unread);
    g_free(catalog);
}

/* --- one list --- */

/* Have berth-fetch turn the manifest @manifest into lines. Free with g_free. */
static char *parse(const BerthLayout *layout, int manifest, const BerthWatch *watch, GError **error)
{
    static const char *const options[] = {NULL};
    g_autofree char *program = berth_layout_fetch_program(layout);
    berth_autofd int lines = memfd_create("berth-list", MFD_CLOEXEC);
    const BerthWorkerJob job = {.verb = "list",
                                .step = "fetch",
                                .what = "list",
                                .options = options,
                                .input = manifest,
                                .output = lines,
                                .spool = -1};
    g_auto(BerthImageStatus) status = {0};
    if (!berth_worker_run(program, &job, berth_watch_progress, (gpointer)watch, &status, error))
        return NULL;
    lseek(lines, 0, SEEK_SET);
    return berth_fd_read_text(lines);
}

static char *read_list(const BerthLayout *layout, const char *url, const BerthWatch *watch,
                       GError **error)
{
    berth_autofd int manifest = berth_download_open(layout, url, LIST_MAX, watch, error);
    return manifest >= 0 ? parse(layout, manifest, watch, error) : NULL;
}

static char *copy_path(const BerthLayout *layout, const char *url)
{
    g_autofree char *directory = berth_layout_lists(layout);
    g_autofree char *name = g_compute_checksum_for_string(G_CHECKSUM_SHA256, url, -1);
    return g_build_filename(directory, name, NULL);
}

/* A copy that cannot be written is only missed later; one that is the same gets the time of now. */
static void keep_copy(const BerthLayout *layout, const char *url, const char *lines)
{
    g_autofree char *directory = berth_layout_lists(layout);
    g_autofree char *path = copy_path(layout, url);
    g_autofree char *former = NULL;
    if (g_file_get_contents(path, &former, NULL, NULL) && strcmp(former, lines) == 0 &&
        utimensat(AT_FDCWD, path, NULL, 0) == 0)
        return;
    if (berth_layout_make(directory, NULL))
        g_file_set_contents(path, lines, -1, NULL);
}

static bool add_copy(BerthCatalog *catalog, const BerthLayout *layout, const char *url,
                     const char *why)
{
    g_autofree char *path = copy_path(layout, url);
    g_autofree char *lines = NULL;
    struct stat st;
    if (stat(path, &st) < 0 || !g_file_get_contents(path, &lines, NULL, NULL) ||
        !berth_offers_add(catalog->offers, lines, url))
        return false;
    g_autoptr(GDateTime) then = g_date_time_new_from_unix_local(st.st_mtime);
    g_autofree char *day = g_date_time_format(then, "%F");
    g_ptr_array_add(
        catalog->notices,
        g_strdup_printf("the list of %s is used, since it cannot be read now: %s", day, why));
    return true;
}

/* False: cancelled. */
static bool add_list(BerthCatalog *catalog, const BerthLayout *layout, const char *url,
                     const BerthWatch *watch, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *lines = read_list(layout, url, watch, &problem);
    if (berth_error_is(problem, BERTH_ERROR_CANCELLED)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    if (lines != NULL && berth_offers_add(catalog->offers, lines, url)) {
        keep_copy(layout, url, lines);
        return true;
    }
    const char *why = problem != NULL ? problem->message : "it has an invalid name, URL or digest";
    if (add_copy(catalog, layout, url, why))
        return true;
    g_free(catalog->unread);
    catalog->unread = g_strdup(why);
    g_ptr_array_add(catalog->notices,
                    lines != NULL
                        ? g_strdup_printf("%s: a list of distros is left out: %s", url, why)
                        : g_strdup_printf("a list of distros is left out: %s", why));
    return true;
}

/* --- berth's templates --- */

static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_template(BerthCatalog *catalog, const char *path)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) problem = NULL;
    if (g_file_get_contents(path, &text, NULL, &problem) &&
        berth_offers_add_file(catalog->offers, text, path, &problem))
        return;
    g_ptr_array_add(catalog->notices, g_strdup(problem->message));
}

static void add_templates(BerthCatalog *catalog, const BerthLayout *layout)
{
    g_autofree char *directory = berth_layout_distro_templates(layout);
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    const char *name;
    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL)
        if (g_str_has_suffix(name, ".conf"))
            g_ptr_array_add(paths, g_build_filename(directory, name, NULL));
    g_ptr_array_sort(paths, by_name);
    for (guint i = 0; i < paths->len; i++)
        add_template(catalog, paths->pdata[i]);
}

/* --- all of them --- */

BerthCatalog *berth_catalog_read(const BerthLayout *layout, const char *const *own,
                                 const char *public, const BerthWatch *watch, GError **error)
{
    g_autoptr(BerthCatalog) catalog = g_new0(BerthCatalog, 1);
    catalog->offers = berth_offers_new();
    catalog->notices = g_ptr_array_new_with_free_func(g_free);
    for (gsize i = 0; own != NULL && own[i] != NULL; i++)
        if (!add_list(catalog, layout, own[i], watch, error))
            return NULL;
    add_templates(catalog, layout);
    if (public != NULL && !add_list(catalog, layout, public, watch, error))
        return NULL;
    return g_steal_pointer(&catalog);
}

const BerthOffer *berth_catalog_find(const BerthCatalog *catalog, const char *name, GError **error)
{
    g_autoptr(GError) problem = NULL;
    const BerthOffer *offer = berth_offers_find(catalog->offers, name, &problem);
    if (offer != NULL)
        return offer;
    if (catalog->unread != NULL)
        berth_error_set(error, BERTH_ERROR_NOT_FOUND, "catalog.offline", WAYS_OFFLINE,
                        "\"%s\" is not known, and a list of distros cannot be read: %s", name,
                        catalog->unread);
    else
        g_propagate_error(error, g_steal_pointer(&problem));
    return NULL;
}

bool berth_catalog_digest(const BerthLayout *layout, const BerthOffer *offer,
                          const BerthWatch *watch, char **ret_sha256, GError **error)
{
    *ret_sha256 = g_strdup(offer->sha256);
    if (offer->sha256 != NULL || offer->sums == NULL)
        return true;
    g_autofree char *text = berth_download_text(layout, offer->sums, SUMS_MAX, watch, error);
    *ret_sha256 = text != NULL ? berth_offer_read_sum(text, offer->url) : NULL;
    if (text != NULL && *ret_sha256 == NULL)
        berth_error_set(error, BERTH_ERROR_INVALID, "fetch.sums", NULL,
                        "%s: no SHA-256 of %s is in it", offer->sums, offer->url);
    return *ret_sha256 != NULL;
}
