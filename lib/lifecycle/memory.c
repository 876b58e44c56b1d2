/* SPDX-License-Identifier: MIT */
#include "memory.h"

#include "start.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/sha256.h"
#include "disk/file/copy.h"
#include "disk/file/temp.h"
#include "park/park_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUPERBLOCK_AT   1024
#define SUPERBLOCK_SIZE 1024
#define STAT_BLOCK      G_GUINT64_CONSTANT(512) /* the unit of st_blocks on every file system */

static void replace(char **member, const char *text)
{
    g_free(*member);
    *member = g_strdup(text);
}

static bool read_saved(const char *disk, BerthParkIdentity *ret_identity, GError **error)
{
    g_auto(BerthParked) parked = {0};
    berth_autofd int fd = berth_park_open(disk, &parked, error);
    *ret_identity = parked.identity;
    return fd >= 0;
}

/* The identity of @machine with @disk, to which nothing is written any more. */
static bool read_now(const BerthMachine *machine, BerthParkIdentity *ret_identity, GError **error)
{
    return berth_park_identity_settle(machine->disk, error) &&
           berth_park_identity_read(machine, ret_identity, error);
}

static BerthMachine *machine_with(Berth *berth, const BerthDistro *distro, const char *disk,
                                  GError **error)
{
    g_autoptr(BerthDistro) copy = berth_distro_copy(distro);
    replace(&copy->disk, disk);
    return berth_start_machine(berth, copy, error);
}

static void copy_part(BerthParkIdentity *to, const BerthParkIdentity *from, BerthParkPart part)
{
    memcpy(to->digests[part], from->digests[part], BERTH_PARK_DIGEST_SIZE);
}

bool berth_memory_copy(const char *from, const char *to, const char *work, GError **error)
{
    g_autofree char *source = berth_park_path(from);
    g_autofree char *target = berth_park_path(to);
    berth_autofd int input = open(source, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (input < 0) {
        berth_error_set_errno(error, errno, work, "%s", source);
        return false;
    }
    g_autoptr(BerthTemp) temp = berth_temp_new_for(work, target, BERTH_TEMP_REPLACE, error);
    return temp != NULL &&
           berth_copy(input, berth_temp_fd(temp), work, source, NULL, NULL, NULL, error) &&
           berth_temp_commit(temp, error);
}

/* The disk's part of @identity for a snapshot: what a move leaves as it was. */
static bool read_snapshot(const char *disk, BerthParkIdentity *identity, GError **error)
{
    g_autoptr(BerthSha256) sha256 = berth_sha256_new();
    guint8 superblock[SUPERBLOCK_SIZE] = {0};
    struct stat st;
    berth_autofd int fd = open(disk, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 ||
        pread(fd, superblock, sizeof(superblock), SUPERBLOCK_AT) < 0) {
        berth_error_set_errno(error, errno, "park.identity", "%s", disk);
        return false;
    }
    g_autofree char *text = g_strdup_printf("%lld %lld.%09ld", (long long)st.st_size,
                                            (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    berth_sha256_update(sha256, text, strlen(text));
    berth_sha256_update(sha256, superblock, sizeof(superblock));
    berth_sha256_digest(sha256, identity->digests[BERTH_PARK_DISK]);
    return true;
}

bool berth_memory_bind_snapshot(const char *snapshot, GError **error)
{
    BerthParkIdentity identity;
    return read_saved(snapshot, &identity, error) && read_snapshot(snapshot, &identity, error) &&
           berth_park_bind(snapshot, &identity, error);
}

/* What of @saved, but the disk, does not fit @machine, a clone's, apart from what is each distro's
 * own; NULL: nothing. The source may have been started isolated, or not. Changes @machine. */
static const char *find_difference(BerthMachine *machine, const BerthMachine *source,
                                   const BerthParkIdentity *saved, GError **error)
{
    BerthParkIdentity now;
    const char *difference = NULL;
    replace(&machine->id, source->id);
    replace(&machine->mac, source->mac);
    for (guint i = 0; i < 2 && (i == 0 || difference != NULL); i++) {
        machine->isolated = i == 0;
        if (!berth_park_identity_read(machine, &now, error))
            break;
        copy_part(&now, saved, BERTH_PARK_DISK);
        difference = berth_park_identity_difference(saved, &now);
    }
    return difference;
}

static bool set_unfit(GError **error, const BerthDistro *source, const BerthDistro *clone,
                      const char *difference)
{
    g_autofree char *hint = g_strdup_printf("clone its disk only: berth clone %s %s; or restart %s",
                                            source->name, clone->name, source->name);
    bool by_settings = g_str_has_prefix(difference, "its settings");
    g_autofree char *why =
        by_settings ? g_strdup_printf("%s would have other settings than %s was started with",
                                      clone->name, source->name)
                    : g_strdup_printf("%s since it was started", difference);
    berth_error_set(error, BERTH_ERROR_INVALID, "clone.memory", hint,
                    "the memory of %s cannot be cloned: %s", source->name, why);
    return false;
}

bool berth_memory_bind_clone(Berth *berth, const BerthDistro *source, const BerthDistro *clone,
                             bool isolated, GError **error)
{
    g_autoptr(BerthMachine) machine = machine_with(berth, clone, clone->disk, error);
    g_autoptr(BerthMachine) from =
        machine != NULL ? berth_start_machine(berth, source, error) : NULL;
    g_autoptr(GError) problem = NULL;
    BerthParkIdentity saved, own;
    if (from == NULL || !read_saved(clone->disk, &saved, error))
        return false;
    machine->isolated |= isolated;
    bool throwaway = clone->template != NULL; /* need not be on the medium */
    if (!(throwaway ? berth_park_identity_read : read_now)(machine, &own, error))
        return false;
    const char *difference = find_difference(machine, from, &saved, &problem);
    if (problem != NULL) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    return difference == NULL ? berth_park_bind(clone->disk, &own, error)
                              : set_unfit(error, source, clone, difference);
}

bool berth_memory_restore(Berth *berth, const BerthDistro *distro, const char *snapshot,
                          bool *ret_restored, char **ret_reason, GError **error)
{
    *ret_restored = false;
    *ret_reason = NULL;
    if (!berth_park_exists(snapshot))
        return true;
    g_autoptr(BerthMachine) machine = machine_with(berth, distro, snapshot, error);
    g_autoptr(GError) problem = NULL;
    BerthParkIdentity saved, now;
    if (machine == NULL || !berth_park_identity_read(machine, &now, error) ||
        !read_snapshot(snapshot, &now, error))
        return false;
    const char *difference = read_saved(snapshot, &saved, &problem)
                                 ? berth_park_identity_difference(&saved, &now)
                                 : problem->message;
    if (difference != NULL) {
        *ret_reason = g_strdup(difference);
        return true;
    }
    replace(&machine->disk, distro->disk);
    *ret_restored = berth_memory_copy(snapshot, distro->disk, "restore.memory", error) &&
                    read_now(machine, &now, error) && berth_park_bind(distro->disk, &now, error);
    return *ret_restored;
}

guint64 berth_memory_used(const char *disk)
{
    g_autofree char *path = berth_park_path(disk);
    struct stat st;
    return stat(path, &st) == 0 ? (guint64)st.st_blocks * STAT_BLOCK : 0;
}
