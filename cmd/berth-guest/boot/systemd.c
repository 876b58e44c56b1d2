/* SPDX-License-Identifier: MIT */
#include "systemd.h"

#include "interfaces.h"

#include "os/file.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNITS      "/run/systemd/system/"
#define GENERATORS "/run/systemd/system-generators/"

/* A file in /run; without text, a link to /dev/null, which masks the unit. */
typedef struct {
    const char *path;
    const char *text;
} Row;

static const Row rows[] = {
    /* The console shows the kernel's log. A getty there would wait 90 s for a device unit, which
     * only udev creates; so would gettys on other ports, which images of machines enable. */
    {UNITS "serial-getty@.service", NULL},
    {UNITS "serial-getty@ttyS0.service", NULL},
    {UNITS "console-getty.service", NULL},
    /* Searches the root disk for partitions, has none to find, and fails. */
    {GENERATORS "systemd-gpt-auto-generator", NULL},
    /* The kernel has no modules, and libkmod may be missing. */
    {UNITS "systemd-modules-load.service", NULL},
    {UNITS "modprobe@.service", NULL},
    /* Searches for LVM snapshots, of which there are none, for a tenth of the boot time. */
    {UNITS "e2scrub_reap.service", NULL},
    /* eth0 is already configured: network managers must leave it alone, and nothing may wait for
     * them. */
    {"/run/systemd/network/10-berth.network", "[Match]\nName=eth0\n[Link]\nUnmanaged=yes\n"},
    {"/run/NetworkManager/conf.d/10-berth.conf",
     "[keyfile]\nunmanaged-devices=interface-name:eth0\n"},
    {"/run/network/ifstate", "lo=lo\neth0=eth0\n"},
    /* ifupdown fails as a whole if one of its interfaces is missing. */
    {UNITS "networking.service.d/10-berth.conf",
     "[Service]\nEnvironment=\"EXCLUDE_INTERFACES=" INTERFACES_ABSENT "\"\n"},
    {UNITS "systemd-networkd-wait-online.service", NULL},
    {UNITS "NetworkManager-wait-online.service", NULL},
};

/* boot.command. KillMode=process: its background processes survive it. A failure shows in systemctl
 * --failed and stops nothing. */
#define COMMAND "/run/berth/boot-command"
static const Row command_unit = {
    UNITS "berth-boot-command.service",
    "[Unit]\nDescription=boot.command of /etc/wsl.conf\n"
    "[Service]\nType=exec\nKillMode=process\nExecStart=/bin/sh " COMMAND "\n"
    "StandardOutput=journal+console\nStandardError=inherit\nEnvironment=HOME=/root\n"};
static const char command_want[] = UNITS "multi-user.target.wants/berth-boot-command.service";

/* For automount.mountFsTab=false. */
static const Row no_fstab = {GENERATORS "systemd-fstab-generator", NULL};

static int write_row(const Row *row)
{
    char directory[PATH_MAX];
    snprintf(directory, sizeof(directory), "%s", row->path);
    int result = file_make_directories(dirname(directory), 0755);
    if (result < 0)
        return result;
    if (row->text != NULL)
        return file_replace(row->path, row->text, 0644);
    return symlink("/dev/null", row->path) < 0 && errno != EEXIST ? -errno : 0;
}

static int write_command(const char *command)
{
    char *script = NULL;
    if (asprintf(&script, "%s\n", command) < 0)
        return -ENOMEM;
    const Row row = {COMMAND, script};
    int result = write_row(&row);
    free(script);
    if (result == 0)
        result = write_row(&command_unit);
    if (result == 0)
        result = file_make_directories(UNITS "multi-user.target.wants", 0755);
    if (result == 0 && symlink(command_unit.path, command_want) < 0 && errno != EEXIST)
        result = -errno;
    return result;
}

int systemd_prepare(const Settings *settings, const char **ret_what)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int result = write_row(&rows[i]);
        if (result < 0) {
            *ret_what = rows[i].path;
            return result;
        }
    }
    *ret_what = no_fstab.path;
    int result = settings->mount_fstab ? 0 : write_row(&no_fstab);
    if (result < 0 || settings->command == NULL)
        return result;
    *ret_what = "boot.command";
    return write_command(settings->command);
}
