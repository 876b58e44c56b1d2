/* SPDX-License-Identifier: MIT */
#include "doctor_private.h"

#include "base/fd.h"
#include "base/process.h"
#include "model/rule.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- limits --- */

#define FILES_LEAST  256  /* detach.c refuses to start a keeper with fewer */
#define FILES_ENOUGH 4096 /* a session takes three, a forwarded connection two */

void berth_doctor_limits(BerthDoctor *doctor, BerthDoctorRow *row)
{
    struct rlimit files = {0}, cpu = {0}, size = {0};
    getrlimit(RLIMIT_NOFILE, &files);
    getrlimit(RLIMIT_CPU, &cpu);
    getrlimit(RLIMIT_FSIZE, &size);
    if (files.rlim_max < FILES_ENOUGH)
        berth_doctor_say(
            row, files.rlim_max < FILES_LEAST ? BERTH_VERDICT_PROBLEM : BERTH_VERDICT_WARNING,
            "sudo prlimit --pid $$ --nofile=65536",
            "this shell allows %" G_GUINT64_FORMAT " open files, a busy distro needs %d",
            (guint64)files.rlim_max, FILES_ENOUGH);
    else if (cpu.rlim_max != RLIM_INFINITY)
        berth_doctor_say(row, BERTH_VERDICT_PROBLEM, "sudo prlimit --pid $$ --cpu=unlimited",
                         "this shell limits processor time, which would end a distro");
    else if (size.rlim_max != RLIM_INFINITY)
        berth_doctor_say(row, BERTH_VERDICT_WARNING, "sudo prlimit --pid $$ --fsize=unlimited",
                         "this shell limits the size of files, so also that of disks");
    else
        berth_doctor_say(row, BERTH_VERDICT_OK, NULL, "%" G_GUINT64_FORMAT " open files",
                         (guint64)files.rlim_max);
}

/* --- inotify --- */

typedef struct {
    guint64 watches, instances; /* of all processes of this user */
    guint64 ours;               /* watches of berth's own processes */
} Inotify;

/* The number of lines of @path that begin with @word. */
static guint64 count_lines(const char *path, const char *word)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL))
        return 0;
    guint64 count = g_str_has_prefix(text, word);
    g_autofree char *line = g_strconcat("\n", word, NULL);
    for (const char *at = text; (at = strstr(at, line)) != NULL; at++)
        count++;
    return count;
}

/* Add the inotify instances of the process in @directory; none without permission. */
static void add_process(const char *directory, Inotify *use)
{
    g_autofree char *fds = g_build_filename(directory, "fd", NULL);
    g_autofree char *name = berth_process_name(directory);
    g_autoptr(GDir) listing = g_dir_open(fds, 0, NULL);
    const char *number;
    while (listing != NULL && (number = g_dir_read_name(listing)) != NULL) {
        g_autofree char *link = g_build_filename(fds, number, NULL);
        g_autofree char *target = g_file_read_link(link, NULL);
        if (g_strcmp0(target, "anon_inode:inotify") != 0)
            continue;
        g_autofree char *info = g_build_filename(directory, "fdinfo", number, NULL);
        guint64 watches = count_lines(info, "inotify ");
        use->instances++;
        use->watches += watches;
        use->ours += g_str_has_prefix(name, "berth-") ? watches : 0;
    }
}

static Inotify count_inotify(guint uid)
{
    Inotify use = {0};
    g_autoptr(GDir) proc = g_dir_open("/proc", 0, NULL);
    const char *pid;
    while ((pid = berth_process_next(proc)) != NULL) {
        struct stat st;
        g_autofree char *directory = g_build_filename("/proc", pid, NULL);
        if (stat(directory, &st) == 0 && st.st_uid == uid)
            add_process(directory, &use);
    }
    return use;
}

/* At four fifths of a limit the next larger share may exceed it. */
static bool is_nearly(guint64 used, guint64 limit)
{
    return used > limit / 5 * 4;
}

void berth_doctor_inotify(BerthDoctor *doctor, BerthDoctorRow *row)
{
    const Inotify use = count_inotify(doctor->uid);
    guint64 watches =
        berth_doctor_number(doctor, "/proc/sys/fs/inotify/max_user_watches", G_MAXUINT64);
    guint64 instances =
        berth_doctor_number(doctor, "/proc/sys/fs/inotify/max_user_instances", G_MAXUINT64);
    if (is_nearly(use.instances, instances))
        berth_doctor_say(row, BERTH_VERDICT_WARNING,
                         "sudo sysctl fs.inotify.max_user_instances=1024",
                         "%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                         " instances are in use; a distro needs up to five",
                         use.instances, instances);
    else if (is_nearly(use.watches, watches) || watches < 8192)
        berth_doctor_say(row, BERTH_VERDICT_WARNING,
                         "sudo sysctl fs.inotify.max_user_watches=1048576",
                         "%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                         " watches are in use; a directory of a share needs one",
                         use.watches, watches);
    else
        berth_doctor_say(row, BERTH_VERDICT_OK, NULL,
                         "%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                         " watches in use, %" G_GUINT64_FORMAT " of them berth's",
                         use.watches, watches, use.ours);
}

/* --- huge pages --- */

void berth_doctor_huge_pages(BerthDoctor *doctor, BerthDoctorRow *row)
{
    g_autofree char *text =
        berth_doctor_read(doctor, "/sys/kernel/mm/transparent_hugepage/shmem_enabled");
    const char *begin = text != NULL ? strchr(text, '[') : NULL;
    g_autofree char *word = begin != NULL ? g_strndup(begin + 1, strcspn(begin + 1, "]"))
                                          : g_strdup("not in this kernel");
    bool used = g_str_equal(word, "advise") || g_str_equal(word, "always") ||
                g_str_equal(word, "within_size") || g_str_equal(word, "force");
    if (used || !doctor->kvm)
        berth_doctor_say(row, BERTH_VERDICT_OK, NULL, "shared memory: %s%s", word,
                         used ? "" : ", which matters only with KVM");
    else
        berth_doctor_say(
            row, BERTH_VERDICT_WARNING,
            begin != NULL
                ? "echo advise | sudo tee /sys/kernel/mm/transparent_hugepage/shmem_enabled"
                : NULL,
            "shared memory: %s; a distro's memory is some per cent slower", word);
}

/* --- ports --- */

/* The lowest port of the host that a distro's own rules name; 65536: none. */
static guint lowest_port(const BerthDoctor *doctor)
{
    guint lowest = G_MAXUINT16 + 1;
    for (guint i = 0; doctor->distros != NULL && i < doctor->distros->len; i++) {
        const BerthDistro *distro = doctor->distros->pdata[i];
        g_autoptr(GArray) rules =
            distro->forwards != NULL ? berth_rule_parse_list(distro->forwards, NULL) : NULL;
        for (guint j = 0; rules != NULL && j < rules->len; j++)
            lowest = MIN(lowest, g_array_index(rules, BerthRule, j).host_port);
    }
    return lowest;
}

void berth_doctor_ports(BerthDoctor *doctor, BerthDoctorRow *row)
{
    guint first =
        (guint)berth_doctor_number(doctor, "/proc/sys/net/ipv4/ip_unprivileged_port_start", 1024);
    guint lowest = lowest_port(doctor);
    if (doctor->uid == 0) {
        berth_doctor_say(row, BERTH_VERDICT_OK, NULL, "root may open every port");
        return;
    }
    if (lowest >= first) {
        berth_doctor_say(row, BERTH_VERDICT_OK, NULL, "this user may open those from %u on", first);
        return;
    }
    g_autofree char *command =
        g_strdup_printf("sudo sysctl net.ipv4.ip_unprivileged_port_start=%u", lowest);
    berth_doctor_say(row, BERTH_VERDICT_PROBLEM, command,
                     "a forward needs port %u, and this user may open those from %u on", lowest,
                     first);
}

/* --- the sandboxes --- */

/* Whether this user may make user and mount namespaces, as lib/sandbox does. */
static bool has_namespaces(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 ? 0 : 1);
    int status = 1;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool has_seccomp(void)
{
    const unsigned action = SECCOMP_RET_ERRNO;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

/* The setting that most likely forbids namespaces here. */
static const char *namespaces_command(const BerthDoctor *doctor)
{
    if (berth_doctor_number(doctor, "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0) !=
        0)
        return "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0";
    if (berth_doctor_number(doctor, "/proc/sys/kernel/unprivileged_userns_clone", 1) == 0)
        return "sudo sysctl kernel.unprivileged_userns_clone=1";
    if (berth_doctor_number(doctor, "/proc/sys/user/max_user_namespaces", 1) == 0)
        return "sudo sysctl user.max_user_namespaces=15000";
    return NULL;
}

void berth_doctor_sandbox(BerthDoctor *doctor, BerthDoctorRow *row)
{
    long landlock = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (!has_seccomp())
        berth_doctor_say(row, BERTH_VERDICT_PROBLEM, "use a kernel with CONFIG_SECCOMP_FILTER",
                         "this kernel has no seccomp, without which no distro starts");
    else if (landlock <= 0)
        berth_doctor_say(row, BERTH_VERDICT_WARNING,
                         "add landlock to lsm= on the kernel's command line",
                         "seccomp without Landlock: one layer less around berth's helpers");
    else if (!has_namespaces())
        berth_doctor_say(row, BERTH_VERDICT_WARNING, namespaces_command(doctor),
                         "seccomp, Landlock %ld, no user namespaces: one layer less around berth's "
                         "helpers",
                         landlock);
    else
        berth_doctor_say(row, BERTH_VERDICT_OK, NULL, "seccomp, Landlock %ld, user namespaces",
                         landlock);
}

/* --- FUSE --- */

void berth_doctor_fuse(BerthDoctor *doctor, BerthDoctorRow *row)
{
    g_autofree char *device = g_strconcat(doctor->root, "/dev/fuse", NULL);
    g_autofree char *program = g_find_program_in_path("fusermount3");
    berth_autofd int fd = open(device, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        int errnum = errno;
        g_autofree char *words = g_ascii_strdown(g_strerror(errnum), -1);
        berth_doctor_say(row, BERTH_VERDICT_WARNING,
                         errnum == ENOENT ? "sudo modprobe fuse" : "sudo chmod a+rw /dev/fuse",
                         "\"berth mount\" does not work: /dev/fuse: %s", words);
    } else if (program == NULL) {
        g_autofree char *command = berth_doctor_install("fuse3");
        berth_doctor_say(row, BERTH_VERDICT_WARNING, command,
                         "\"berth mount\" does not work: fusermount3: not found");
    } else {
        berth_doctor_say(row, BERTH_VERDICT_OK, NULL, "/dev/fuse and fusermount3");
    }
}
