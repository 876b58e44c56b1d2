/* SPDX-License-Identifier: MIT
 *
 * The public functions about imports and exports, over lib/lifecycle.
 */
#include "berth_archive.h"

#include "berth_convert.h"

BerthImportOptions berth_import_options(const BerthImport *import)
{
    return (BerthImportOptions){.name = import->name,
                                .fd = import->fd,
                                .origin = import->origin,
                                .path = import->path,
                                .size = import->size,
                                .inodes = import->inodes,
                                .strip_root = import->strip_root,
                                .image = import->image,
                                .user = import->user,
                                .no_user = import->no_user,
                                .oobe = import->oobe,
                                .location = import->location,
                                .cloud = import->cloud,
                                .progress = import->progress,
                                .notice = import->notice,
                                .user_data = import->user_data};
}

BerthImported berth_imported(const BerthImportReport *report)
{
    return (BerthImported){.entries = report->entries,
                           .bytes = report->bytes,
                           .disk_used = report->disk_used,
                           .from_cache = report->from_cache};
}

bool berth_import(Berth *berth, const BerthImport *import, BerthImported *ret_imported,
                  GError **error)
{
    const BerthImportOptions options = berth_import_options(import);
    BerthImportReport report;
    if (!berth_distros_import(berth, &options, &report, error))
        return false;
    *ret_imported = berth_imported(&report);
    return true;
}

bool berth_import_in_place(Berth *berth, const BerthImport *import, GError **error)
{
    const BerthImportOptions options = berth_import_options(import);
    return berth_distros_import_in_place(berth, &options, error);
}

bool berth_export(Berth *berth, const char *name, const BerthExport *export,
                  BerthExportFunc progress, gpointer user_data, char **ret_notice, GError **error)
{
    const BerthExportRequest request = {.path = export->path,
                                        .fd = export->fd,
                                        .format = export->format,
                                        .replace = export->replace};
    return berth_distros_export(berth, name, &request, progress, user_data, ret_notice, error);
}
