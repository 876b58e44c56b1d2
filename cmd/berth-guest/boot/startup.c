/* SPDX-License-Identifier: MIT */
#include "startup.h"

#include "fstab.h"
#include "interfaces.h"
#include "systemd_fstab.h"

#include "os/cgroup.h"
#include "os/file.h"
#include "os/program.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define FSTAB    "/etc/fstab"
#define CRYPTTAB "/etc/crypttab"
#define DISK     "/dev/vda"
#define COPY     SYSTEMD_FSTAB_COPY
/* The host prints the first few and logs the rest. */
#define NOTES_MAX 256
/* Bounds the delay of the boot by a network server that does not answer. */
#define MOUNT_SEC 20

/* ---- scanning fstab, crypttab and interfaces ---- */

typedef struct {
    int root;
    StartupNote note;
    void *data;
    bool without_root; /* omit /: not every mount -a sees that it is mounted */
    int result;        /* the first error */
    unsigned entries;  /* total */
    unsigned left_out; /* omitted from the copy */
    unsigned noted;
    FILE *copy; /* receives the lines that stay, or NULL */
} Scan;

static void note_absent(Scan *scan, const char *file, const FstabLine *line)
{
    char text[512];
    if (line->may_fail || scan->noted++ >= NOTES_MAX)
        return;
    bool is_mount = line->target[0] == '/';
    snprintf(text, sizeof(text), "%s:%u: %.200s is not in this machine: left out%s%.200s", file,
             line->number, line->source, is_mount ? ", nothing is mounted on " : "",
             is_mount ? line->target : "");
    scan->note(scan->data, text);
}

static void note_rest(const Scan *scan)
{
    char text[128];
    if (scan->noted <= NOTES_MAX)
        return;
    snprintf(text, sizeof(text), "%u more lines name devices that are not in this machine",
             scan->noted - NOTES_MAX);
    scan->note(scan->data, text);
}

/* The entry of / means the only disk. Link the other machine's name for it to DISK, so that
 * systemd-remount-fs, which remounts / by that name, finds it. */
static int name_disk(int root, const char *source)
{
    char device[PATH_MAX];
    struct stat info;
    if (!fstab_device(source, device, sizeof(device)) || strncmp(device, "/dev/", 5) != 0 ||
        strstr(device, "/..") != NULL || fstatat(root, device + 1, &info, 0) == 0)
        return 0;
    char *slash = strrchr(device, '/');
    *slash = '\0';
    int result = file_make_directories_at(root, device + 1, 0755);
    *slash = '/';
    if (result == 0 && symlinkat(DISK, root, device + 1) < 0 && errno != EEXIST)
        result = -errno;
    return result;
}

static void handle_line(void *data, const FstabLine *line)
{
    Scan *scan = data;
    scan->entries += line->is_entry;
    bool left_out = line->is_absent || (scan->without_root && line->is_root);
    scan->left_out += left_out;
    if (line->is_entry && line->is_root && scan->result == 0)
        scan->result = name_disk(scan->root, line->source);
    if (line->is_absent)
        note_absent(scan, FSTAB, line);
    if (!left_out && scan->copy != NULL)
        fputs(line->text, scan->copy);
}

static void handle_crypt_line(void *data, const FstabLine *line)
{
    if (line->is_absent)
        note_absent(data, CRYPTTAB, line);
}

static void handle_interface(void *data, const char *file, unsigned line, const char *name)
{
    Scan *scan = data;
    char text[512];
    if (scan->noted++ >= NOTES_MAX)
        return;
    snprintf(text, sizeof(text), "%.300s:%u: %s is not in this machine: not brought up", file, line,
             name);
    scan->note(scan->data, text);
}

/* Write COPY: fstab without the lines of absent devices. 0, or -errno. */
static int scan_and_copy(Scan *scan)
{
    int result = file_make_directories("/run/berth", 0755);
    if (result < 0)
        return result;
    scan->copy = fopen(COPY, "we");
    if (scan->copy == NULL)
        return -errno;
    fputs("# berth: a copy of " FSTAB " without the lines whose devices are not in this machine\n",
          scan->copy);
    fstab_each(scan->root, handle_line, scan);
    return fclose(scan->copy) == 0 ? scan->result : -errno;
}

/* ---- mounting ---- */

/* Pass -T only with the copy: busybox's mount may lack it. */
static void mount_all(bool of_copy, char *problem, size_t size)
{
    char program[64];
    char output[160];
    if (!program_find("mount", program, sizeof(program)))
        return;
    const char *const argv[] = {program, "-a", of_copy ? "-T" : NULL, COPY, NULL};
    int result = program_run(argv, MOUNT_SEC, output, sizeof(output));
    if (result == -ETIMEDOUT)
        snprintf(problem, size, "%s: mount -a did not end within %d s", FSTAB, MOUNT_SEC);
    else if (result != 0)
        snprintf(problem, size, "%s: %s", FSTAB, output[0] != '\0' ? output : "mount -a failed");
}

/* Bind-mount @table over fstab until shutdown. Read-only, since changes would be lost. */
static int show_instead(const char *table)
{
    if (mount(table, FSTAB, NULL, MS_BIND, NULL) < 0 ||
        mount(NULL, FSTAB, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
        return -errno;
    return 0;
}

static int mount_for_systemd(Scan *scan)
{
    int result = access(FSTAB, F_OK) == 0 ? scan_and_copy(scan) : 0;
    fstab_each_crypt(scan->root, handle_crypt_line, scan);
    int prepared = systemd_fstab_prepare(scan->root);
    return result < 0 ? result : prepared;
}

/* Other inits would wait for all devices, or stop in a maintenance shell. */
static int mount_for_other(bool wanted, Scan *scan)
{
    int result = wanted ? scan_and_copy(scan) : 0;
    if (!wanted)
        return access(FSTAB, F_OK) == 0 ? show_instead("/dev/null") : 0;
    return result == 0 && scan->left_out > 0 ? show_instead(COPY) : result;
}

void startup_mount(const StartupMount *startup, char *problem, size_t size)
{
    Scan scan = {.root = startup->root,
                 .note = startup->note,
                 .data = startup->data,
                 .without_root = startup->init == INIT_BERTH};
    bool wanted = startup->settings->mount_fstab;
    int result = 0;
    if (startup->init == INIT_SYSTEMD) {
        result = wanted ? mount_for_systemd(&scan) : 0;
        interfaces_each_absent(scan.root, handle_interface, &scan);
    } else if (startup->init != INIT_BERTH) {
        result = mount_for_other(wanted, &scan);
    } else if (wanted) {
        result = scan_and_copy(&scan);
    }
    note_rest(&scan);
    if (result < 0)
        snprintf(problem, size, "%s: %s", FSTAB, strerror(-result));
    else if (startup->init == INIT_BERTH && scan.entries > scan.left_out)
        mount_all(scan.left_out > 0, problem, size);
}

int startup_command(InitKind init, const Settings *settings)
{
    if (settings->command == NULL || init == INIT_SYSTEMD)
        return 0;
    pid_t pid = fork();
    if (pid != 0)
        return pid < 0 ? -errno : 0;
    if (init == INIT_BERTH)
        cgroup_join_distro();
    program_become(STDOUT_FILENO); /* output goes to the console */
    setenv("HOME", "/root", 1);
    execl("/bin/sh", "sh", "-c", settings->command, (char *)NULL);
    dprintf(STDERR_FILENO, "boot.command: /bin/sh: %s\n", strerror(errno));
    _exit(127);
}
