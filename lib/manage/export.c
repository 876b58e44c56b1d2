/* SPDX-License-Identifier: MIT */
#include "export.h"

#include "base/error.h"
#include "base/fd.h"
#include "disk/file/export_format.h"
#include "disk/file/export_image.h"
#include "disk/file/temp.h"
#include "hold.h"
#include "worker.h"

#include <sys/stat.h>
#include <unistd.h>

/* Adapts the caller's progress function. */
typedef struct {
    BerthExportFunc ask;
    gpointer user_data;
} Watch;

static bool on_progress(const BerthProgress *progress, gpointer user_data)
{
    const Watch *watch = user_data;
    return watch->ask == NULL || watch->ask(progress->bytes_done, progress->bytes_total,
                                            progress->entries, watch->user_data);
}

/* Choose the format by the path's suffix. Rejects suffixes of disk image formats that are not
 * supported; without a known suffix it is a tar, as with WSL. */
static bool choose_format(const BerthExportRequest *request, BerthExportFormat *ret_format,
                          GError **error)
{
    if (request->format != NULL)
        return berth_export_format_parse(request->format, ret_format, error);
    *ret_format = BERTH_EXPORT_TAR;
    if (request->path == NULL || berth_export_format_guess(request->path, ret_format))
        return true;
    bool vhd = g_str_has_suffix(request->path, ".vhdx") || g_str_has_suffix(request->path, ".vhd");
    return !vhd || berth_export_format_parse("vhd", ret_format, error);
}

/* Reject bad paths before temp.h does, with a hint. */
static bool check_path(const BerthExportRequest *request, int image, GError **error)
{
    struct stat there;
    if (stat(request->path, &there) < 0)
        return true;
    if (berth_fd_is_path(image, request->path)) {
        berth_error_set(error, BERTH_ERROR_INVALID, "export.create.same", NULL,
                        "%s is the distro's own disk", request->path);
        return false;
    }
    if (S_ISDIR(there.st_mode)) {
        berth_error_set(error, BERTH_ERROR_INVALID, "export.create.directory",
                        "name a file in that directory", "%s is a directory", request->path);
        return false;
    }
    if (request->replace)
        return true;
    berth_error_set(error, BERTH_ERROR_EXISTS, "export.create.exists", "add --force to replace it",
                    "%s exists already", request->path);
    return false;
}

/* Counts of what the worker left out. */
typedef struct {
    guint64 sockets;
    guint64 xattrs;
} LeftOut;

typedef struct {
    const char *program; /* berth-image */
    const BerthExportRequest *request;
    BerthExportFormat format;
    int image;
    Watch watch;
    LeftOut left_out;
} Export;

static bool run_worker(Export *export, int output, GError **error)
{
    const char *word = berth_export_format_word(export->format);
    g_autofree char *format = g_strconcat("format=", word, NULL);
    const char *const options[] = {format, NULL};
    const BerthWorkerJob job = {.verb = "export",
                                .what = "disk",
                                .options = options,
                                .input = export->image,
                                .output = output,
                                .spool = -1};
    g_auto(BerthImageStatus) status = {0};
    if (!berth_worker_run(export->program, &job, on_progress, &export->watch, &status, error))
        return false;
    /* The first two numbers are entries and bytes (cmd/berth-image). */
    export->left_out = (LeftOut){.sockets = status.report[2], .xattrs = status.report[3]};
    return true;
}

/* An image is copied without parsing, so it needs no worker. */
static bool write_to(Export *export, int output, GError **error)
{
    guint64 bytes = 0;
    if (export->format != BERTH_EXPORT_EXT4)
        return run_worker(export, output, error);
    return berth_export_image(export->image, output, on_progress, &export->watch, &bytes, error);
}

static bool write_file(Export *export, GError **error)
{
    const BerthExportRequest *request = export->request;
    if (!check_path(request, export->image, error))
        return false;
    BerthTempFlags flags = request->replace ? BERTH_TEMP_REPLACE : BERTH_TEMP_DEFAULT;
    g_autoptr(BerthTemp) temp = berth_temp_new_for("export", request->path, flags, error);
    return temp != NULL && write_to(export, berth_temp_fd(temp), error) &&
           berth_temp_commit(temp, error);
}

/* "left out: 3 sockets, 1 extended attribute", or NULL. */
static char *make_notice(const LeftOut *left_out)
{
    g_autoptr(GString) text = g_string_new(NULL);
    if (left_out->sockets > 0)
        g_string_append_printf(text, "%" G_GUINT64_FORMAT " socket%s", left_out->sockets,
                               left_out->sockets == 1 ? "" : "s");
    if (left_out->xattrs > 0)
        g_string_append_printf(text, "%s%" G_GUINT64_FORMAT " extended attribute%s",
                               text->len > 0 ? ", " : "", left_out->xattrs,
                               left_out->xattrs == 1 ? "" : "s");
    return text->len > 0 ? g_strdup_printf("left out, as archives cannot have them: %s", text->str)
                         : NULL;
}

bool berth_manage_export(const BerthLayout *layout, const BerthDistro *distro,
                         const BerthExportRequest *request, BerthExportFunc progress,
                         gpointer user_data, char **ret_notice, GError **error)
{
    g_autofree char *program = berth_layout_image_program(layout);
    Export export = {.program = program, .request = request, .watch = {progress, user_data}};
    if (!choose_format(request, &export.format, error))
        return false;
    berth_autofd int image = berth_hold_open(distro, BERTH_HOLD_READ, "export.read", error);
    if (image < 0)
        return false;

    export.image = image;
    bool done =
        request->path != NULL ? write_file(&export, error) : write_to(&export, request->fd, error);
    if (done)
        *ret_notice = make_notice(&export.left_out);
    return done;
}
