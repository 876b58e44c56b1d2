/* SPDX-License-Identifier: MIT */
#include "import.h"

#include "base/error.h"
#include "claim.h"
#include "base/fd.h"
#include "base/size.h"
#include "cloud_seed.h"
#include "disk/file/copy.h"
#include "disk/file/temp.h"
#include "feed.h"
#include "hold.h"
#include "twin.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* The state of one import. */
typedef struct {
    const BerthLayout *layout;
    const BerthImportRequest *request;
    const BerthImportWatch *watch;
    BerthClaim *claim;
    BerthDistro *distro;
    BerthCacheArchive archive;
    int found;       /* the file of the download, if it is on this host; owned */
    char *path;      /* its path */
    BerthFeed *feed; /* of the download, if it is not; NULL: the archive is a file */
    bool cancelled;
    bool warned;          /* about the room for the disk, or there is enough */
    int output;           /* the disk, while it is written */
    char *made_directory; /* created for the disk; removed if the import fails */
    guint64 cpu_usec;     /* of the worker */
    BerthImportReport report;
} Import;

static void import_clear(Import *import)
{
    berth_feed_free(import->feed);
    berth_fd_close(&import->found);
    g_free(import->path);
    berth_claim_release(import->claim); /* removes files without a row */
    if (import->made_directory != NULL)
        rmdir(import->made_directory);
    g_free(import->made_directory);
    g_free(import->archive.identity);
    berth_distro_free(import->distro);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Import, import_clear)

static void notice(const Import *import, const char *text)
{
    if (import->watch->notice != NULL)
        import->watch->notice(text, import->watch->user_data);
}

static void forward_feed_notices(const Import *import)
{
    char *text;
    while (import->feed != NULL && (text = berth_feed_notice(import->feed)) != NULL) {
        notice(import, text);
        g_free(text);
    }
}

/* Only an estimate: compressed archives need more, sparse ones less. The size of a download is
 * known once its server has answered; 0: not yet. */
static void warn_free_space(Import *import, guint64 size)
{
    struct statvfs place;
    if (size == 0 || import->warned || fstatvfs(import->output, &place) < 0)
        return;
    import->warned = true;
    guint64 room = (guint64)place.f_bavail * place.f_frsize;
    if (room >= size)
        return;
    g_autofree char *has = berth_size_format(room);
    g_autofree char *needs = berth_size_format(size);
    g_autofree char *text =
        g_strdup_printf("only %s are free for the disk, and the archive alone has %s", has, needs);
    notice(import, text);
}

static bool on_progress(const BerthProgress *progress, gpointer user_data)
{
    Import *import = user_data;
    const BerthImportWatch *watch = import->watch;
    guint64 coming = 0;
    forward_feed_notices(import);
    bool fed = import->feed == NULL || berth_feed_goes_on(import->feed, &coming);
    if (import->feed != NULL)
        warn_free_space(import, coming);
    guint64 total = MAX(progress->bytes_total, coming);
    import->cancelled =
        import->cancelled ||
        (watch->progress != NULL &&
         !watch->progress(progress->bytes_done, total, progress->entries, watch->user_data));
    return fed && !import->cancelled;
}

static BerthClaim *claim_name(const BerthLayout *layout, BerthRegistry *registry,
                              const BerthDistro *distro, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(BerthClaim) claim =
        berth_claim_name(layout, registry, distro->name, distro->id, BERTH_WORK_IMPORT, &problem);
    if (claim != NULL)
        return g_steal_pointer(&claim);

    if (g_str_equal(berth_error_id(problem), "distro.busy"))
        berth_error_set(error, BERTH_ERROR_EXISTS, "registry.exists", berth_error_hint(problem),
                        "%s", problem->message);
    else
        g_propagate_error(error, g_steal_pointer(&problem));
    return NULL;
}

/* Create the disk's directory; in the user's location only the last component. */
static bool make_directory(Import *import, GError **error)
{
    const char *location = import->request->location;
    if (location == NULL) {
        g_autofree char *own = berth_layout_distro(import->layout, import->distro->id);
        return berth_layout_make(own, error);
    }
    if (mkdir(location, 0700) == 0) {
        import->made_directory = g_strdup(location);
        return true;
    }
    if (errno == EEXIST)
        return true;
    berth_error_set_errno(error, errno, "import.location", "%s", location);
    return false;
}

static guint64 archive_size(const Import *import)
{
    struct stat st;
    bool is_file = fstat(import->archive.fd, &st) == 0 && S_ISREG(st.st_mode);
    return is_file ? (guint64)st.st_size : 0;
}

/* An O_TMPFILE beside the disk, or a memfd where that is not supported. */
static int make_spool(const Import *import)
{
    g_autofree char *directory = g_path_get_dirname(import->distro->disk);
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return fd >= 0 ? fd : memfd_create("berth-spool", MFD_CLOEXEC);
}

static void forward_warnings(const Import *import, const BerthImageStatus *status)
{
    for (guint i = 0; i < status->warnings->len; i++)
        notice(import, status->warnings->pdata[i]);
    if (status->warnings_left_out > 0) {
        g_autofree char *text = g_strdup_printf("and %u more notices", status->warnings_left_out);
        notice(import, text);
    }
}

/* Run berth-image to unpack the archive @input into the empty file @fd. @growth says how far the
 * archive has come; -1: it is complete, or a pipe. */
static bool run_worker(Import *import, int input, int growth, int fd, GError **error)
{
    const BerthImportRequest *request = import->request;
    g_autofree char *program = berth_layout_image_program(import->layout);
    g_autofree char *name = g_strdup_printf("name=%s", request->origin);
    g_autofree char *size = g_strdup_printf("size=%" G_GUINT64_FORMAT, request->disk_size);
    g_autofree char *inodes = g_strdup_printf("inodes=%" G_GUINT64_FORMAT, request->inodes);
    g_autofree char *digest =
        request->image != NULL ? g_strconcat("digest=", request->image, NULL) : NULL;
    const char *options[] = {name, size, inodes, NULL, NULL, NULL, NULL};
    gsize count = 3;
    if (request->strip_root)
        options[count++] = "strip-root=yes";
    if (digest != NULL)
        options[count++] = digest;
    if (growth >= 0)
        options[count++] = "growing=yes";
    berth_autofd int spool = growth < 0 ? make_spool(import) : -1;
    const BerthWorkerJob job = {.verb = "import",
                                .what = "archive",
                                .options = options,
                                .input = input,
                                .output = fd,
                                .spool = growth < 0 ? spool : growth};

    g_auto(BerthImageStatus) status = {0};
    if (!berth_worker_run(program, &job, on_progress, import, &status, error))
        return false;
    forward_warnings(import, &status);
    import->cpu_usec = status.cpu_usec;
    import->report.entries = status.report[0];
    import->report.bytes = status.report[1];
    return true;
}

static bool measure(Import *import, int fd, GError **error)
{
    const guint64 block = 512; /* the unit of st_blocks on every file system */
    struct stat st;
    if (fstat(fd, &st) < 0) {
        berth_error_set_errno(error, errno, "import.create", "%s", import->distro->disk);
        return false;
    }
    import->distro->disk_size = (guint64)st.st_size;
    import->report.disk_used = (guint64)st.st_blocks * block;
    return true;
}

static bool on_bytes(guint64 done, guint64 total, gpointer user_data)
{
    return on_progress(&(BerthProgress){.bytes_done = done, .bytes_total = total}, user_data);
}

/* --- a download --- */

/* Whether the reader's failure @problem can have come of wrong bytes: what they were is known at
 * the end of the download. */
static bool may_be_the_bytes(const Import *import, const GError *problem)
{
    return !import->cancelled && (berth_error_is(problem, BERTH_ERROR_INVALID) ||
                                  berth_error_is(problem, BERTH_ERROR_CANCELLED));
}

/* Whether to wait for the rest of the download, after its reader's end. */
static bool on_rest(guint64 done, guint64 total, gpointer user_data)
{
    Import *import = user_data;
    on_progress(&(BerthProgress){.bytes_done = done}, import);
    return !import->cancelled;
}

/* A failure is only a notice. */
static void keep_download(const Import *import)
{
    g_autoptr(GError) problem = NULL;
    if (berth_feed_keep(import->feed, &problem))
        return;
    g_autofree char *text =
        g_strdup_printf("the download is not kept for the next time: %s", problem->message);
    notice(import, text);
}

/* Unpack the download as it arrives. *ret_again: the reader had other bytes than the file. */
static bool run_worker_once(Import *import, int fd, bool *ret_again, GError **error)
{
    g_autoptr(GError) problem = NULL;
    const BerthWatch watch = {.progress = on_rest, .user_data = import};
    int growth = -1;
    int input = berth_feed_open(import->feed, &growth, error);
    *ret_again = false;
    if (input < 0)
        return false;
    bool done = run_worker(import, input, growth, fd, &problem);
    if (!done && !may_be_the_bytes(import, problem)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    BerthFeedResult result = berth_feed_finish(import->feed, done, &watch, error);
    forward_feed_notices(import);
    *ret_again = result == BERTH_FEED_AGAIN;
    if (result == BERTH_FEED_GOOD && (done || import->request->download->image == NULL))
        keep_download(import); /* an image only if its digests were right */
    if (result == BERTH_FEED_GOOD && !done)
        g_propagate_error(error, g_steal_pointer(&problem));
    return result == BERTH_FEED_GOOD && done;
}

/* A server may begin anew with another version of the file, and a mirror may have others than the
 * one before: then the bytes are read once more, from the complete file. */
static bool run_worker_on_feed(Import *import, int fd, GError **error)
{
    bool again = false;
    if (run_worker_once(import, fd, &again, error))
        return true;
    if (!again)
        return false;
    if (ftruncate(fd, 0) == 0)
        return run_worker_once(import, fd, &again, error);
    berth_error_set_errno(error, errno, "import.create", "%s", import->distro->disk);
    return false;
}

/* Find the download on this host, or begin it. */
static bool open_download(Import *import, GError **error)
{
    g_autoptr(GError) problem = NULL;
    const BerthDownload *download = import->request->download;
    const BerthWatch watch = {.progress = on_bytes, .user_data = import};
    if (download == NULL)
        return true;
    import->found = berth_download_find(import->layout, download, &watch, &import->path, &problem);
    if (problem != NULL) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    import->archive.fd = import->found;
    if (import->path != NULL)
        import->archive.origin = import->path;
    if (import->found < 0)
        import->feed = berth_feed_new(import->layout, download, error);
    return import->found >= 0 || import->feed != NULL;
}

/* --- the cache --- */

/* The options that change the image of an archive: part of the cache key. */
static char *cache_options(const BerthImportRequest *request)
{
    return g_strdup_printf(
        "size=%" G_GUINT64_FORMAT " inodes=%" G_GUINT64_FORMAT " strip-root=%d%s%s",
        request->disk_size, request->inodes, request->strip_root,
        request->image != NULL ? " image=" : "", request->image != NULL ? request->image : "");
}

/* Whether the user stopped it; a download that failed is the reader's to find out. */
static bool is_cancelled(Import *import)
{
    on_progress(&(BerthProgress){0}, import);
    return import->cancelled;
}

/* Fill the empty file @fd from the cache. *ret_done false without an error: a cache miss. */
static bool copy_cached(Import *import, int fd, bool *ret_done, GError **error)
{
    g_autoptr(BerthCacheEntry) entry = NULL;
    g_autoptr(GError) problem = NULL;
    const BerthWatch watch = {.progress = on_bytes, .user_data = import};
    berth_autofd int image =
        berth_cache_find(import->request->cache, &import->archive, &watch, &entry);
    *ret_done = image >= 0 && berth_copy(image, fd, "import", "the cached image", on_progress,
                                         import, NULL, &problem);
    if (*ret_done) {
        import->report.entries = entry->entries;
        import->report.bytes = entry->archive_size;
        import->report.from_cache = true;
        return true;
    }
    if (berth_error_is(problem, BERTH_ERROR_CANCELLED) || is_cancelled(import)) {
        g_clear_error(&problem);
        berth_error_set(error, BERTH_ERROR_CANCELLED, "import.cancelled", NULL, "cancelled");
        return false;
    }
    if (ftruncate(fd, 0) == 0)
        return true;
    berth_error_set_errno(error, errno, "import.create", "%s", import->distro->disk);
    return false;
}

/* A failure is only a notice. The claim keeps the disk unchanged meanwhile. */
static void keep_in_cache(Import *import, gint64 made_usec)
{
    g_autoptr(GError) problem = NULL;
    import->archive.size = import->report.bytes;
    berth_autofd int image =
        berth_hold_open(import->distro, BERTH_HOLD_READ, "import.cache", &problem);
    if (image < 0 || import->report.from_cache ||
        berth_cache_keep(import->request->cache, &import->archive, image, import->report.entries,
                         made_usec, &problem))
        return;
    g_autofree char *text =
        g_strdup_printf("the image is not kept for the next import: %s", problem->message);
    notice(import, text);
}

/* An image that was kept from before is checked by its reader: a damaged one is removed, and
 * downloaded as if it had not been there. *@ret_again: do so. */
static bool run_worker_on_file(Import *import, int fd, bool *ret_again, GError **error)
{
    g_autoptr(GError) problem = NULL;
    const BerthDownload *download = import->request->download;
    bool done = run_worker(import, import->archive.fd, -1, fd, &problem);
    bool is_kept_image = download != NULL && download->image != NULL;
    *ret_again = !done && is_kept_image && berth_error_is(problem, BERTH_ERROR_INVALID);
    if (!done && !*ret_again)
        g_propagate_error(error, g_steal_pointer(&problem));
    return done;
}

static bool replace_kept(Import *import, int fd, GError **error)
{
    unlink(import->path);
    if (ftruncate(fd, 0) < 0) {
        berth_error_set_errno(error, errno, "import.create", "%s", import->distro->disk);
        return false;
    }
    import->feed = berth_feed_new(import->layout, import->request->download, error);
    return import->feed != NULL && run_worker_on_feed(import, fd, error);
}

static bool fill_disk(Import *import, int fd, GError **error)
{
    bool done = false;
    bool again = false;
    if (import->request->cache != NULL && !copy_cached(import, fd, &done, error))
        return false;
    if (done)
        return true;
    if (import->feed != NULL)
        return run_worker_on_feed(import, fd, error);
    done = run_worker_on_file(import, fd, &again, error);
    return again ? replace_kept(import, fd, error) : done;
}

static bool make_disk(Import *import, GError **error)
{
    if (!make_directory(import, error))
        return false;
    g_autoptr(BerthTemp) temp = berth_temp_new(import->distro->disk, BERTH_TEMP_DEFAULT, error);
    if (temp == NULL)
        return false;
    int fd = berth_temp_fd(temp);
    import->output = fd;
    warn_free_space(import, archive_size(import));
    return berth_claim_add_file(import->claim, import->distro->disk, fd, error) &&
           fill_disk(import, fd, error) && berth_temp_commit(temp, error) &&
           measure(import, fd, error);
}

static bool begin(Import *import, BerthRegistry *registry, GError **error)
{
    const BerthImportRequest *request = import->request;
    if (!berth_distro_check_name(request->name, error))
        return false;

    BerthDistro *distro = import->distro = berth_distro_new(request->name);
    distro->disk = request->location != NULL
                       ? berth_layout_disk_in(request->location, request->name)
                       : berth_layout_disk(import->layout, distro->id);
    distro->account = g_strdup(request->account);
    distro->account_uid = request->account_uid;
    distro->oobe = request->oobe;
    import->claim = claim_name(import->layout, registry, distro, error);
    return import->claim != NULL;
}

/* Tell the cache how to find this import again: by a digest where the archive was, or will be,
 * checked to have it. A kept download has no other identity, since each use changes the times of
 * its file. */
static void identify(Import *import, const char *made_with)
{
    const BerthImportRequest *request = import->request;
    import->archive.options = made_with;
    import->archive.digest = request->download != NULL ? request->download->sha256 : request->image;
    if (request->cache != NULL && (import->feed == NULL || import->archive.digest != NULL))
        berth_cache_identify(request->cache, &import->archive);
}

/* Microseconds that the next import of the archive would take without the cache. One that was read
 * while it arrived waited for the network, which the next one does not. */
static gint64 cost_of(const Import *import, gint64 started)
{
    return import->feed != NULL ? (gint64)import->cpu_usec : g_get_monotonic_time() - started;
}

bool berth_manage_import(const BerthLayout *layout, BerthRegistry *registry,
                         const BerthImportRequest *request, const BerthImportWatch *watch,
                         BerthImportReport *ret_report, GError **error)
{
    g_auto(Import)
        import = {.layout = layout, .request = request, .watch = watch, .found = -1, .output = -1};
    g_autofree char *made_with = cache_options(request);
    gint64 started = g_get_monotonic_time();
    import.archive = (BerthCacheArchive){
        .fd = request->fd, .origin = request->path != NULL ? request->path : request->origin};
    if (!begin(&import, registry, error) || !open_download(&import, error))
        return false;
    identify(&import, made_with);

    if (!make_disk(&import, error) ||
        !berth_cloud_seed_keep(layout, import.distro->id, request->cloud, error) ||
        !berth_twin_mark(registry, import.distro, error) ||
        !berth_registry_insert(registry, import.distro, error))
        return false;
    g_clear_pointer(&import.made_directory, g_free);
    if (request->cache != NULL)
        keep_in_cache(&import, cost_of(&import, started));
    *ret_report = import.report;
    return true;
}
