/* SPDX-License-Identifier: MIT */
#include "image.h"

#include "base/error.h"
#include "base/size.h"
#include "base/text.h"
#include "disk/ext4/ext4.h"
#include "disk/layers/archive.h"
#include "disk/tree/strip.h"
#include "disk/tree/tree.h"
#include "disk/tree/whiteout.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE_FALLBACK_MIN      (G_GUINT64_CONSTANT(64) << 30)
#define PROGRESS_INTERVAL_USEC 100000

typedef struct {
    BerthArchive *archive;
    BerthTar *tar; /* of the archive, borrowed */
    bool layered;  /* the archive is a container image */
    BerthTree *tree;
    BerthExt4 *ext4;

    BerthProgress progress;
    BerthProgressFunc report;
    gpointer user_data;
    gint64 reported_usec;
    BerthDropped dropped;
    bool strip_root;
    BerthStrip strip;
    GPtrArray *warnings;
} Import;

static void import_clear(Import *import)
{
    berth_ext4_free(import->ext4);
    berth_tree_free(import->tree);
    berth_strip_clear(&import->strip);
    berth_archive_free(import->archive);
    g_clear_pointer(&import->warnings, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Import, import_clear)

static bool report(Import *import, bool now, GError **error)
{
    gint64 usec = g_get_monotonic_time();
    if (import->report == NULL || (!now && usec - import->reported_usec < PROGRESS_INTERVAL_USEC))
        return true;
    import->reported_usec = usec;
    import->progress.bytes_done = berth_archive_position(import->archive);
    import->progress.bytes_total = berth_archive_total(import->archive);
    if (import->report(&import->progress, import->user_data))
        return true;
    berth_error_set(error, BERTH_ERROR_CANCELLED, "import.cancelled", NULL,
                    "cancelled, nothing was kept");
    return false;
}

/* Set the file's apparent size; halve it until the host's file system accepts it. */
static bool set_size(int fd, guint64 *size, GError **error)
{
    *size -= *size % 4096;
    while (ftruncate(fd, (off_t)*size) < 0) {
        if (errno != EFBIG || *size / 2 < SIZE_FALLBACK_MIN) {
            berth_error_set_errno(error, errno, "import.create", "make the image");
            return false;
        }
        *size /= 2;
    }
    return true;
}

static bool unpack_data(Import *import, const BerthEntry *entry, BerthInode *file, GError **error)
{
    if (!berth_ext4_begin_file(import->ext4, file, entry->path, (guint64)entry->size, entry->sparse,
                               error))
        return false;
    for (;;) {
        const void *data = NULL;
        gsize size = 0;
        guint64 offset = 0;
        if (!berth_tar_read(import->tar, &data, &size, &offset, error))
            return false;
        if (size == 0)
            return berth_ext4_end_file(import->ext4, error);
        if (!berth_ext4_write(import->ext4, offset, data, size, error) ||
            !report(import, false, error))
            return false;
    }
}

/* Add the entry to the tree. *ret_file is NULL if it has no data or is skipped. */
static bool place_entry(Import *import, BerthEntry *entry, BerthInode **ret_file, GError **error)
{
    bool skip = false;
    *ret_file = NULL;
    if (!berth_entry_normalise(entry, &import->dropped, error) ||
        (import->strip_root && !berth_strip_apply(&import->strip, entry, &skip, error)) ||
        (import->layered && !berth_whiteout_apply(import->tree, entry->path, &skip, error)))
        return false;
    return skip || berth_tree_add(import->tree, entry, ret_file, error);
}

static bool unpack_entry(Import *import, BerthEntry *entry, GError **error)
{
    BerthInode *file = NULL;
    g_autofree char *path = entry->path != NULL ? berth_text_escape(entry->path) : NULL;
    if (!place_entry(import, entry, &file, error)) {
        if (path != NULL)
            g_prefix_error(error, "unpack %s: ", path);
        else
            g_prefix_error(error, "unpack entry %" G_GUINT64_FORMAT ": ", import->progress.entries);
        return false;
    }
    return file == NULL || unpack_data(import, entry, file, error);
}

static void keep_warnings(Import *import)
{
    const GPtrArray *tar_warnings = berth_tar_warnings(import->tar);
    for (guint i = 0; i < tar_warnings->len; i++)
        g_ptr_array_add(import->warnings, g_strdup(g_ptr_array_index(tar_warnings, i)));
}

static bool unpack_tar(Import *import, GError **error)
{
    for (;;) {
        g_auto(BerthEntry) entry = {0};
        bool end = false;
        if (!report(import, false, error) || !berth_tar_next(import->tar, &entry, &end, error))
            return false;
        if (end) {
            keep_warnings(import);
            return true;
        }
        import->progress.entries++;
        if (!unpack_entry(import, &entry, error))
            return false;
    }
}

static bool unpack(Import *import, GError **error)
{
    for (bool ready = false; !ready;) {
        if (!report(import, false, error) || !berth_archive_prepare(import->archive, &ready, error))
            return false;
    }
    import->layered = berth_archive_origin(import->archive) != NULL;
    if (import->layered && import->strip_root) {
        berth_error_set(error, BERTH_ERROR_INVALID, "import.image.strip-root",
                        "import it without --strip-root",
                        "a container image has no root directory to strip");
        return false;
    }
    for (;;) {
        if (!berth_archive_next(import->archive, &import->tar, error))
            return false;
        if (import->tar == NULL)
            return true;
        if ((import->layered && !berth_tree_begin_layer(import->tree, error)) ||
            !unpack_tar(import, error))
            return false;
    }
}

static bool has_any(const BerthInode *directory, const char *const *names)
{
    for (gsize i = 0; names[i] != NULL; i++) {
        if (berth_tree_child(directory, names[i]) != NULL)
            return true;
    }
    return false;
}

/* Reject an archive that is not a root file system: its distro would never start. */
static bool check_rootfs(const Import *import, const char *name, GError **error)
{
    static const char *const root_names[] = {"etc", "bin", "usr", NULL};
    const BerthInode *root = import->tree->root;
    if (has_any(root, root_names))
        return true;

    g_autofree char *hint =
        g_strdup("give a tar of a root file system, such as those that rootfs-builders/ makes");
    for (const BerthName *child = berth_tree_first(root); child != NULL;
         child = berth_tree_next(child)) {
        if (!S_ISDIR(child->inode->mode) || !has_any(child->inode, root_names))
            continue;
        g_autofree char *shown = berth_text_escape(child->text);
        g_free(hint);
        hint = g_strdup_printf("the root is below %s/ in the archive: import it with --strip-root",
                               shown);
        break;
    }
    berth_error_set(error, BERTH_ERROR_INVALID, "import.not-a-rootfs", hint,
                    "%s: not a root file system: it has no /etc, /bin or /usr", name);
    return false;
}

static bool run(Import *import, int output, const BerthImageOptions *options, guint64 *size,
                GError **error)
{
    if (!set_size(output, size, error))
        return false;
    BerthExt4Options ext4 = {.size = *size, .inodes = options->inodes};
    import->ext4 = berth_ext4_new(output, &ext4, error);
    if (import->ext4 == NULL)
        return false;

    import->tree = berth_tree_new();
    import->tree->files_max = berth_ext4_files_max(import->ext4);
    if (!unpack(import, error) || !check_rootfs(import, options->name, error) ||
        !berth_tree_finish(import->tree, error) ||
        !berth_ext4_finish(import->ext4, import->tree, error))
        return false;
    import->dropped.acls += import->tree->acls_dropped;
    import->dropped.xattrs += import->tree->xattrs_dropped;
    return report(import, true, error);
}

/* Turn SIGXFSZ into EFBIG: block the signal and discard the one that a write here raised. */
typedef struct {
    sigset_t before;
    bool was_pending;
} SignalGuard;

static void hold_signal(SignalGuard *guard)
{
    sigset_t set;
    sigpending(&set);
    guard->was_pending = sigismember(&set, SIGXFSZ) == 1;
    sigemptyset(&set);
    sigaddset(&set, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &set, &guard->before);
}

static void release_signal(SignalGuard *guard)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGXFSZ);
    const struct timespec at_once = {0};
    while (!guard->was_pending && sigtimedwait(&set, NULL, &at_once) > 0)
        continue;
    pthread_sigmask(SIG_SETMASK, &guard->before, NULL);
}

void berth_image_report_clear(BerthImageReport *report)
{
    g_clear_pointer(&report->warnings, g_ptr_array_unref);
    if (report->origin != NULL)
        berth_image_origin_clear(report->origin);
    g_clear_pointer(&report->origin, g_free);
}

static void add_dropped(GPtrArray *warnings, guint count, const char *one, const char *many)
{
    if (count > 0)
        g_ptr_array_add(warnings, g_strdup_printf("%u %s", count, count == 1 ? one : many));
}

static GPtrArray *list_warnings(const Import *import)
{
    GPtrArray *warnings = g_ptr_array_ref(import->warnings);
    add_dropped(warnings, import->dropped.xattrs,
                "extended attribute was left out: ext4 cannot carry it",
                "extended attributes were left out: ext4 cannot carry them");
    add_dropped(warnings, import->dropped.acls,
                "entry of an ACL was left out: it has no numeric id, or is NFSv4's",
                "entries of ACLs were left out: they have no numeric id, or are NFSv4's");
    add_dropped(warnings, import->dropped.flags, "file flag was left out (only nodump is kept)",
                "file flags were left out (only nodump is kept)");
    add_dropped(warnings, import->dropped.times, "time was moved into ext4's range, 1901 to 2446",
                "times were moved into ext4's range, 1901 to 2446");
    if (import->strip.left_out > 0) {
        g_autofree char *directory =
            berth_text_escape(import->strip.directory != NULL ? import->strip.directory : "");
        g_ptr_array_add(warnings,
                        g_strdup_printf("%u %s beside %s/ in the archive %s left out",
                                        import->strip.left_out,
                                        import->strip.left_out == 1 ? "file" : "files", directory,
                                        import->strip.left_out == 1 ? "was" : "were"));
    }
    return warnings;
}

static BerthImageOrigin *copy_origin(const BerthImageOrigin *origin)
{
    if (origin == NULL)
        return NULL;
    BerthImageOrigin *copy = g_new0(BerthImageOrigin, 1);
    *copy = (BerthImageOrigin){.reference = g_strdup(origin->reference),
                               .platform = g_strdup(origin->platform),
                               .created = g_strdup(origin->created),
                               .layers = origin->layers};
    return copy;
}

bool berth_image_write(int input, int output, const BerthImageOptions *options,
                       BerthProgressFunc progress, gpointer user_data, BerthImageReport *ret_report,
                       GError **error)
{
    const BerthArchiveOptions how = {.name = options->name,
                                     .architecture = options->architecture,
                                     .digest = options->digest,
                                     .spool = options->spool,
                                     .spool_max = options->size,
                                     .growing = options->growing};
    g_auto(Import)
        import = {.report = progress, .user_data = user_data, .strip_root = options->strip_root};
    import.warnings = g_ptr_array_new_with_free_func(g_free);
    import.archive = berth_archive_open(input, &how, error);
    if (import.archive == NULL)
        return false;

    SignalGuard guard;
    guint64 size = options->size;
    hold_signal(&guard);
    bool done = run(&import, output, options, &size, error);
    release_signal(&guard);

    if (done && ret_report != NULL)
        *ret_report =
            (BerthImageReport){.size = size,
                               .entries = import.progress.entries,
                               .bytes = berth_archive_bytes(import.archive),
                               .dropped = import.dropped,
                               .warnings = list_warnings(&import),
                               .origin = copy_origin(berth_archive_origin(import.archive))};
    return done;
}
