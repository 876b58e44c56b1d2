/* SPDX-License-Identifier: MIT
 *
 * berth-image VERB [KEY=VALUE]... — parses untrusted archives and images in a confined process that
 * has only its descriptors (lib/disk/image/confine_image.h). berth starts it with the descriptors
 * of lib/disk/file/status.h and reads its results from the status descriptor.
 *
 *     berth-image import name=x.tar size=1T 3<x.tar 4<>x.ext4 5>&1
 *     berth-image import name=x growing=yes 3<x.tar 4<>x.ext4 5>&1 6<numbers
 *     berth-image export format=tar.gz 3<x.ext4 4>x.tar.gz 5>&1
 *     berth-image diff 3<old.ext4 6<new.ext4 4>records 5>&1
 */
#include "base/error.h"
#include "base/process.h"
#include "disk/ext4/ext4_space.h"
#include "disk/file/status.h"
#include "disk/image/confine_image.h"
#include "disk/image/diff.h"
#include "disk/image/export_archive.h"
#include "disk/image/image.h"
#include "disk/image/in_place.h"
#include "model/fields.h"

#include <fcntl.h>
#include <string.h>

typedef struct {
    char *name;
    guint64 size;
    guint64 inodes;
    bool strip_root;
    char *architecture;
    char *digest;
    bool growing;
    char *format;
    char *old_name;
    char *new_name;
} Options;

static const BerthField import_fields[] = {
    {"name", BERTH_FIELD_STRING, offsetof(Options, name), "the archive"},
    {"size", BERTH_FIELD_SIZE, offsetof(Options, size), "1T"},
    {"inodes", BERTH_FIELD_SIZE, offsetof(Options, inodes)},
    {"strip-root", BERTH_FIELD_BOOL, offsetof(Options, strip_root), "no"},
    {"architecture", BERTH_FIELD_STRING, offsetof(Options, architecture)},
    {"digest", BERTH_FIELD_STRING, offsetof(Options, digest)},
    {"growing", BERTH_FIELD_BOOL, offsetof(Options, growing), "no"},
    {NULL},
};

static const BerthField export_fields[] = {
    {"format", BERTH_FIELD_STRING, offsetof(Options, format), "tar"},
    {NULL},
};

static const BerthField check_fields[] = {
    {"name", BERTH_FIELD_STRING, offsetof(Options, name), "the image"},
    {NULL},
};

static const BerthField diff_fields[] = {
    {"old", BERTH_FIELD_STRING, offsetof(Options, old_name), "the older disk"},
    {"new", BERTH_FIELD_STRING, offsetof(Options, new_name), "the newer disk"},
    {NULL},
};

static bool on_progress(const BerthProgress *progress, gpointer user_data)
{
    return berth_image_status_send_progress(BERTH_IMAGE_STATUS_FD, progress);
}

static bool send_result(const GPtrArray *warnings, const guint64 *numbers, guint count)
{
    for (guint i = 0; warnings != NULL && i < warnings->len; i++)
        if (!berth_image_status_send_warning(BERTH_IMAGE_STATUS_FD, warnings->pdata[i]))
            return false;
    return berth_image_status_send_report(BERTH_IMAGE_STATUS_FD, numbers, count);
}

static int spool_fd(void)
{
    return fcntl(BERTH_IMAGE_STATUS_SPOOL_FD, F_GETFD) >= 0 ? BERTH_IMAGE_STATUS_SPOOL_FD : -1;
}

static bool send_origin(const BerthImageOrigin *origin)
{
    if (origin == NULL)
        return true;
    g_autofree char *words = berth_image_origin_describe(origin);
    return berth_image_status_send_warning(BERTH_IMAGE_STATUS_FD, words);
}

static bool import(const Options *options, GError **error)
{
    const BerthImageOptions image = {.name = options->name,
                                     .size = options->size,
                                     .inodes = options->inodes,
                                     .strip_root = options->strip_root,
                                     .architecture = options->architecture,
                                     .digest = options->digest,
                                     .spool = spool_fd(),
                                     .growing = options->growing};
    g_auto(BerthImageReport) report = {0};
    if (!berth_image_write(BERTH_IMAGE_STATUS_INPUT_FD, BERTH_IMAGE_STATUS_OUTPUT_FD, &image,
                           on_progress, NULL, &report, error))
        return false;
    const guint64 numbers[] = {report.entries, report.bytes};
    return send_origin(report.origin) &&
           send_result(report.warnings, numbers, G_N_ELEMENTS(numbers));
}

static bool export(const Options *options, GError **error)
{
    BerthExportOptions how = {0};
    BerthExportReport report = {0};
    if (!berth_export_format_parse(options->format, &how.format, error) ||
        !berth_export_archive(BERTH_IMAGE_STATUS_INPUT_FD, BERTH_IMAGE_STATUS_OUTPUT_FD, &how,
                              on_progress, NULL, &report, error))
        return false;
    const guint64 numbers[] = {report.entries, report.bytes, report.sockets, report.xattrs};
    return send_result(NULL, numbers, G_N_ELEMENTS(numbers));
}

static bool check(const Options *options, GError **error)
{
    BerthExt4Facts facts;
    if (!berth_in_place_check(BERTH_IMAGE_STATUS_INPUT_FD, options->name, &facts, error))
        return false;
    const guint64 numbers[] = {facts.size, facts.needs_recovery};
    return send_result(NULL, numbers, G_N_ELEMENTS(numbers));
}

static bool compact(const Options *options, GError **error)
{
    const guint64 nothing = 0;
    return berth_ext4_space_punch(BERTH_IMAGE_STATUS_INPUT_FD, options->name, on_progress, NULL,
                                  error) &&
           send_result(NULL, &nothing, 1);
}

static bool diff(const Options *options, GError **error)
{
    const BerthDiffImage old = {BERTH_IMAGE_STATUS_INPUT_FD, options->old_name};
    const BerthDiffImage new = {BERTH_IMAGE_STATUS_NEW_FD, options->new_name};
    guint64 entries = 0;
    return berth_diff_images(&old, &new, BERTH_IMAGE_STATUS_OUTPUT_FD, on_progress, NULL, &entries,
                             error) &&
           send_result(NULL, &entries, 1);
}

static const struct {
    const char *name;
    const BerthField *fields;
    bool (*run)(const Options *options, GError **error);
} verbs[] = {{"import", import_fields, import},
             {"export", export_fields, export},
             {"check", check_fields, check},
             {"compact", check_fields, compact},
             {"diff", diff_fields, diff}};

static bool run(int argc, char **argv, GError **error)
{
    for (gsize i = 0; argc > 1 && i < G_N_ELEMENTS(verbs); i++) {
        if (strcmp(verbs[i].name, argv[1]) != 0)
            continue;
        Options options = {0};
        return berth_fields_parse_words(verbs[i].fields, &options, argv + 2, "import.worker.usage",
                                        "berth-image", error) &&
               berth_confine_image(BERTH_IMAGE_STATUS_SPOOL_FD, error) &&
               verbs[i].run(&options, error);
    }
    berth_error_set(
        error, BERTH_ERROR_INVALID, "import.worker.usage", NULL,
        "usage: berth-image import|export|check|compact|diff [KEY=VALUE]... (started by berth)");
    return false;
}

/* Make libc and GLib open now the files they open on first use: confinement forbids it later. */
static void preload_lazy_files(void)
{
    const int errnum_last = 133;
    (void)g_random_int();
    for (int errnum = 1; errnum <= errnum_last; errnum++) {
        g_autoptr(GError) error = NULL;
        berth_error_set_errno(&error, errnum, "warm", "up");
    }
}

int main(int argc, char **argv)
{
    if (!berth_process_begin_worker(BERTH_IMAGE_STATUS_FD))
        return 1;
    preload_lazy_files();

    g_autoptr(GError) error = NULL;
    if (run(argc, argv, &error))
        return 0;
    if (error != NULL)
        berth_image_status_send_error(BERTH_IMAGE_STATUS_FD, error);
    return 1;
}
