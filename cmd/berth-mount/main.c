/* SPDX-License-Identifier: MIT
 *
 * berth-mount ID DIR (start|running) [USER] — serves the files of a distro on a directory of this
 * host.
 *
 * Started by berth. Descriptor 3 is a pipe that gets a report once the directory is mounted, or
 * cannot be. With "start" an access starts the distro. Ends when the directory is unmounted.
 */
#include "lifecycle/mount.h"

#include <stdio.h>
#include <string.h>

enum { REPORT_FD = 3 };

int main(int argc, char **argv)
{
    bool valid = (argc == 4 || argc == 5) &&
                 (strcmp(argv[3], "start") == 0 || strcmp(argv[3], "running") == 0);
    if (!valid) {
        fputs("berth-mount: usage: berth-mount ID DIR (start|running) [USER] (started by berth)\n",
              stderr);
        return 2;
    }
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) environment = g_get_environ();
    const BerthLayoutSupport support = {.installed = BERTH_SUPPORT_DIR};
    Berth *berth = berth_handle_new((const char *const *)environment, &support, &error);
    if (berth == NULL) {
        fprintf(stderr, "berth-mount: %s\n", error->message);
        return 1;
    }
    const BerthMountOptions mount = {
        .path = argv[2], .user = argv[4], .start = strcmp(argv[3], "start") == 0};
    return berth_mount_serve(berth, argv[1], &mount, REPORT_FD);
}
