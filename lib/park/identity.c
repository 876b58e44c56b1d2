/* SPDX-License-Identifier: MIT */
#include "identity.h"

#include "file_digest.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/sha256.h"
#include "vmm/qemu_args.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SUPERBLOCK_AT   1024
#define SUPERBLOCK_SIZE 1024
#define TICK_NSEC       1000000 /* a fraction of the steps in which a file's times advance */
#define TICKS_MAX       100     /* of a clock that was set back no step is awaited */

static bool set_errno(GError **error, const char *step, const char *path)
{
    berth_error_set_errno(error, errno, step, "%s", path);
    return false;
}

static void finish(BerthSha256 *sha256, BerthParkIdentity *identity, BerthParkPart part)
{
    berth_sha256_digest(sha256, identity->digests[part]);
}

static void add_text(BerthSha256 *sha256, const char *text)
{
    if (text != NULL)
        berth_sha256_update(sha256, text, strlen(text) + 1);
}

static void add_time(BerthSha256 *sha256, const struct timespec *time)
{
    g_autofree char *text = g_strdup_printf("%lld.%09ld", (long long)time->tv_sec, time->tv_nsec);
    add_text(sha256, text);
}

/* --- the parts -------------------------------------------------------------------------------- */

/* Not the device: its number may differ after a reboot of the host. */
static bool read_disk(const char *path, BerthParkIdentity *identity, GError **error)
{
    g_autoptr(BerthSha256) sha256 = berth_sha256_new();
    guint8 superblock[SUPERBLOCK_SIZE] = {0};
    struct stat st;
    berth_autofd int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 ||
        pread(fd, superblock, sizeof(superblock), SUPERBLOCK_AT) < 0)
        return set_errno(error, "park.identity", path);
    g_autofree char *text =
        g_strdup_printf("%llu %lld", (unsigned long long)st.st_ino, (long long)st.st_size);
    add_text(sha256, text);
    add_time(sha256, &st.st_mtim);
    add_time(sha256, &st.st_ctim);
    berth_sha256_update(sha256, superblock, sizeof(superblock));
    finish(sha256, identity, BERTH_PARK_DISK);
    return true;
}

/* By its file, since asking it for a version takes as long as a wake. */
static bool read_qemu(const char *emulator, BerthParkIdentity *identity, GError **error)
{
    g_autoptr(BerthSha256) sha256 = berth_sha256_new();
    g_autofree char *found = g_find_program_in_path(emulator);
    struct stat st;
    if (found == NULL || stat(found, &st) < 0) {
        errno = ENOENT;
        return set_errno(error, "park.identity", emulator);
    }
    g_autofree char *text = g_strdup_printf("%lld", (long long)st.st_size);
    add_text(sha256, found);
    add_text(sha256, text);
    add_time(sha256, &st.st_mtim);
    finish(sha256, identity, BERTH_PARK_QEMU);
    return true;
}

static void replace(char **member, const char *text)
{
    g_free(*member);
    *member = g_strdup(text);
}

/* Without what a distro may change while it runs, and without paths: what they lead to is in
 * another part. */
static bool read_machine(const BerthMachine *machine, BerthParkIdentity *identity, GError **error)
{
    g_autoptr(BerthSha256) sha256 = berth_sha256_new();
    g_autofree char *copied = berth_machine_to_text(machine);
    g_autoptr(BerthMachine) plain = berth_machine_from_text(copied, error);
    if (plain == NULL)
        return false;
    replace(&plain->name, "name");
    replace(&plain->kernel, "kernel");
    replace(&plain->initramfs, "initramfs");
    replace(&plain->disk, "disk");
    replace(&plain->cloud, NULL);
    /* With the frequency of the counter, which is measured for each start: a boot's alone. */
    g_clear_pointer(&plain->tcg_kernel_arguments, g_strfreev);
    g_auto(GStrv) argv = berth_qemu_args(plain, error);
    if (argv == NULL)
        return false;
    for (char **word = argv; *word != NULL; word++)
        add_text(sha256, *word);
    add_text(sha256, machine->id);
    add_text(sha256, machine->isolated ? "isolated" : "");
    finish(sha256, identity, BERTH_PARK_MACHINE);
    return true;
}

static bool add_file(BerthSha256 *sha256, const BerthMachine *machine, const char *path,
                     GError **error)
{
    guint8 digest[BERTH_SHA256_SIZE];
    bool done = berth_file_digest(path, machine->digests, digest, error);
    if (done)
        berth_sha256_update(sha256, digest, sizeof(digest));
    return done;
}

/* The agent in the guest is the initramfs', and the keeper that it talks to is of one version with
 * it. An initramfs with user-data is made anew for each start. */
static bool read_kernel(const BerthMachine *machine, BerthParkIdentity *identity, GError **error)
{
    g_autoptr(BerthSha256) sha256 = berth_sha256_new();
    if (!add_file(sha256, machine, machine->kernel, error) ||
        (machine->cloud == NULL && !add_file(sha256, machine, machine->initramfs, error)))
        return false;
    finish(sha256, identity, BERTH_PARK_KERNEL);
    return true;
}

static bool is_about_processor(const char *line)
{
    static const char *const names[] = {"vendor_id", "cpu family", "model", "stepping", "flags"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        if (g_str_has_prefix(line, names[i]))
            return true;
    return false;
}

/* An emulated guest sees nothing of it. */
static void read_processor(const BerthMachine *machine, BerthParkIdentity *identity)
{
    g_autoptr(BerthSha256) sha256 = berth_sha256_new();
    g_autofree char *text = NULL;
    if (machine->accel == BERTH_ACCEL_KVM)
        g_file_get_contents("/proc/cpuinfo", &text, NULL, NULL);
    g_auto(GStrv) lines = g_strsplit(text != NULL ? text : "", "\n", -1);
    for (char **line = lines; *line != NULL && **line != '\0'; line++) /* the first processor */
        if (is_about_processor(*line))
            add_text(sha256, *line);
    finish(sha256, identity, BERTH_PARK_PROCESSOR);
}

/* --- the public part -------------------------------------------------------------------------- */

void berth_park_identity_prepare(BerthMachine *machine, const char *cache_dir)
{
    g_autoptr(GStrvBuilder) known = g_strv_builder_new();
    const char *const paths[] = {machine->kernel,
                                 machine->cloud == NULL ? machine->initramfs : NULL};
    for (gsize i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autofree char *text =
            paths[i] != NULL ? berth_file_digest_known(paths[i], cache_dir) : NULL;
        if (text != NULL)
            g_strv_builder_add(known, text);
    }
    g_strfreev(machine->digests);
    machine->digests = g_strv_builder_end(known);
}

bool berth_park_identity_read(const BerthMachine *machine, BerthParkIdentity *ret_identity,
                              GError **error)
{
    read_processor(machine, ret_identity);
    return read_disk(machine->disk, ret_identity, error) &&
           read_qemu(machine->emulator, ret_identity, error) &&
           read_machine(machine, ret_identity, error) && read_kernel(machine, ret_identity, error);
}

static bool is_later(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec > b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec > b->tv_nsec);
}

/* CLOCK_REALTIME_COARSE is the clock of a local file system's times. */
bool berth_park_identity_settle(const char *disk, GError **error)
{
    struct stat st;
    berth_autofd int fd = open(disk, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0 || fstat(fd, &st) < 0)
        return set_errno(error, "park.disk", disk);
    struct timespec now;
    for (guint i = 0; i < TICKS_MAX && clock_gettime(CLOCK_REALTIME_COARSE, &now) == 0 &&
                      !is_later(&now, &st.st_ctim);
         i++)
        nanosleep(&(struct timespec){.tv_nsec = TICK_NSEC}, NULL);
    return true;
}

const char *berth_park_identity_difference(const BerthParkIdentity *saved,
                                           const BerthParkIdentity *now)
{
    static const char *const words[] = {
        [BERTH_PARK_DISK] = "its disk has changed",
        [BERTH_PARK_QEMU] = "QEMU has changed",
        [BERTH_PARK_MACHINE] = "its settings have changed",
        [BERTH_PARK_KERNEL] = "berth's kernel has changed",
        [BERTH_PARK_PROCESSOR] = "this host has another processor",
    };
    for (guint part = 0; part < BERTH_PARK_PARTS; part++)
        if (memcmp(saved->digests[part], now->digests[part], BERTH_PARK_DIGEST_SIZE) != 0)
            return words[part];
    return NULL;
}

bool berth_park_identity_check(const BerthParkIdentity *saved, const BerthMachine *machine,
                               GError **error)
{
    BerthParkIdentity now;
    if (!berth_park_identity_read(machine, &now, error))
        return false;
    const char *difference = berth_park_identity_difference(saved, &now);
    if (difference != NULL)
        berth_error_set(error, BERTH_ERROR_INVALID, "park.changed", NULL, "%s since it was parked",
                        difference);
    return difference == NULL;
}
