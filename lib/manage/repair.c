/* SPDX-License-Identifier: MIT */
#include "repair.h"

#include "base/error.h"
#include "disk/file/e2tools.h"
#include "disk/file/ext4_state.h"

static bool set_failed(GError **error, const BerthDistro *distro, const GError *problem)
{
    if (berth_error_is(problem, BERTH_ERROR_NOT_FOUND)) {
        berth_error_set(error, BERTH_ERROR_NOT_FOUND, "disk.tool", "install e2fsprogs",
                        "%s: the disk is damaged, and e2fsck is not installed", distro->disk);
        return false;
    }
    g_autofree char *hint = g_strdup_printf(
        "copy the disk, then repair it: e2fsck -f %s; or look inside: berth console %s",
        distro->disk, distro->name);
    berth_error_set(error, BERTH_ERROR_INVALID, "disk.damaged", hint,
                    "%s: the disk is damaged, and e2fsck cannot repair it without asking",
                    distro->disk);
    return false;
}

bool berth_manage_repair(const BerthDistro *distro, int fd, bool force, char **ret_notice,
                         GError **error)
{
    BerthExt4State state;
    bool readable = berth_ext4_state_read(fd, distro->disk, &state, NULL);
    if (readable && !state.has_errors && !force)
        return true;

    g_autoptr(GError) problem = NULL;
    const BerthE2Image image = {.fd = fd, .what = distro->disk};
    if (!(readable ? berth_e2tools_check(&image, true, &problem)
                   : berth_e2tools_restore(&image, &problem)))
        return set_failed(error, distro, problem);
    *ret_notice =
        g_strdup_printf("the disk of %s was damaged; e2fsck has repaired it", distro->name);
    return true;
}
