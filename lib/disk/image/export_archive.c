/* SPDX-License-Identifier: MIT */
#include "export_archive.h"

#include "base/error.h"
#include "disk/archive/compress.h"
#include "disk/archive/tarwriter.h"
#include "disk/ext4/ext4_read.h"
#include "disk/file/export_image.h"
#include "disk/tree/marks.h"

#define PROGRESS_INTERVAL_USEC 100000

static const BerthCompression compressions[] = {
    [BERTH_EXPORT_TAR] = BERTH_COMPRESSION_NONE,
    [BERTH_EXPORT_TAR_GZIP] = BERTH_COMPRESSION_GZIP,
    [BERTH_EXPORT_TAR_XZ] = BERTH_COMPRESSION_XZ,
    [BERTH_EXPORT_TAR_ZSTD] = BERTH_COMPRESSION_ZSTD,
};

typedef struct {
    BerthExt4Reader *reader;
    BerthProgress progress;
    BerthProgressFunc report;
    gpointer user_data;
    gint64 reported_usec;
} Export;

static bool report(Export *export, bool now, GError **error)
{
    gint64 usec = g_get_monotonic_time();
    if (export->report == NULL || (!now && usec - export->reported_usec < PROGRESS_INTERVAL_USEC))
        return true;
    export->reported_usec = usec;
    export->progress.bytes_total = MAX(export->progress.bytes_total, export->progress.bytes_done);
    if (export->report(&export->progress, export->user_data))
        return true;
    berth_error_set(error, BERTH_ERROR_CANCELLED, "export.cancelled", NULL, "cancelled");
    return false;
}

static bool read_data(guint64 position, guint8 *buffer, gsize size, gpointer user_data,
                      GError **error)
{
    Export *export = user_data;
    export->progress.bytes_done += size;
    return berth_ext4_reader_read(export->reader, position, buffer, size, error) &&
           report(export, false, error);
}

static bool write_entries(Export *export, BerthCompress *output, GError **error)
{
    BerthMarks marks = {0};
    for (;;) {
        g_auto(BerthEntry) entry = {0};
        const GArray *runs = NULL;
        bool end = false;
        if (!report(export, false, error) ||
            !berth_ext4_reader_next(export->reader, &entry, &runs, &end, error))
            return false;
        if (end)
            return true;
        export->progress.entries++;
        berth_marks_restore(&marks, &entry);
        bool done = runs != NULL
                        ? berth_tarwriter_add_file(output, &entry, runs, read_data, export, error)
                        : berth_tarwriter_add(output, &entry, error);
        if (!done)
            return false;
    }
}

static bool write_archive(Export *export, int image, int fd, const BerthExportOptions *options,
                          BerthExportReport *ret_report, GError **error)
{
    g_autoptr(BerthExt4Reader) reader = berth_ext4_reader_new(image, error);
    if (reader == NULL)
        return false;
    g_autoptr(BerthCompress) output =
        berth_compress_new(fd, compressions[options->format], options->threads, error);
    if (output == NULL)
        return false;

    export->reader = reader;
    export->progress.bytes_total = berth_ext4_reader_used(reader);
    if (!write_entries(export, output, error) || !berth_tarwriter_end(output, error) ||
        !berth_compress_finish(output, error))
        return false;
    BerthExt4Skipped skipped = berth_ext4_reader_skipped(reader);
    *ret_report = (BerthExportReport){.entries = export->progress.entries,
                                      .bytes = berth_compress_written(output),
                                      .sockets = skipped.sockets,
                                      .xattrs = skipped.xattrs};
    return true;
}

bool berth_export_archive(int image, int output, const BerthExportOptions *options,
                          BerthProgressFunc progress, gpointer user_data,
                          BerthExportReport *ret_report, GError **error)
{
    Export export = {.report = progress, .user_data = user_data};
    BerthExportReport result = {0};
    bool done = options->format == BERTH_EXPORT_EXT4
                    ? berth_export_image(image, output, progress, user_data, &result.bytes, error)
                    : write_archive(&export, image, output, options, &result, error) &&
                          report(&export, true, error);
    if (done && ret_report != NULL)
        *ret_report = result;
    return done;
}
