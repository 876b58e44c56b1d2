/* SPDX-License-Identifier: MIT */
#include "make_image.h"

#include "disk/file/temp.h"

bool make_image_report(int fd, const char *name, const char *path, guint64 size,
                       BerthProgressFunc progress, gpointer user_data, BerthImageReport *ret_report,
                       GError **error)
{
    g_autoptr(BerthTemp) temp = berth_temp_new(path, BERTH_TEMP_DEFAULT, error);
    if (temp == NULL)
        return false;

    const BerthImageOptions options = {.name = name, .size = size, .spool = -1};
    g_auto(BerthImageReport) report = {0};
    if (!berth_image_write(fd, berth_temp_fd(temp), &options, progress, user_data, &report,
                           error) ||
        !berth_temp_commit(temp, error))
        return false;
    if (ret_report != NULL) {
        *ret_report = report;
        report = (BerthImageReport){0};
    }
    return true;
}

bool make_image(int fd, const char *name, const char *path, guint64 size,
                BerthProgressFunc progress, gpointer user_data, GError **error)
{
    return make_image_report(fd, name, path, size, progress, user_data, NULL, error);
}
