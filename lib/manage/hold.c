/* SPDX-License-Identifier: MIT */
#include "hold.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "park/park_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

/* Limit for a killed holder, such as the QEMU of a killed keeper, to end. */
#define HOLD_TIMEOUT_MSEC 3000
#define KEEPER            "berth-keeper"
#define KEEPER_LOCK_FD    "3" /* the descriptor of its runtime directory's lock: cmd/berth-keeper */

/* --- the processes ---------------------------------------------------------------------------- */

void berth_disk_user_free(BerthDiskUser *user)
{
    if (user == NULL)
        return;
    berth_fd_close(&user->pidfd);
    g_free(user->program);
    g_free(user->directory);
    g_free(user);
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Any process may have a file open on a mount whose server hangs (FUSE): it is not asked, since
 * what the kernel knows is enough. */
static bool is_link_to(const char *link, gconstpointer disk)
{
    struct statx found;
    if (statx(AT_FDCWD, link, AT_STATX_DONT_SYNC, STATX_INO, &found) < 0)
        return false;
    const struct stat st = {.st_dev = makedev(found.stx_dev_major, found.stx_dev_minor),
                            .st_ino = found.stx_ino};
    return is_same_file(&st, disk);
}

/* A keeper's first argument is its runtime directory. */
static void read_keeper(BerthDiskUser *user, const char *process)
{
    g_autofree char *path = g_build_filename(process, "cmdline", NULL);
    g_autofree char *lock_link = g_build_filename(process, "fd", KEEPER_LOCK_FD, NULL);
    g_autofree char *line = NULL;
    gsize size;
    if (strcmp(user->program, KEEPER) != 0 || !g_file_get_contents(path, &line, &size, NULL) ||
        strlen(line) + 1 >= size)
        return;
    user->directory = g_strdup(line + strlen(line) + 1);

    g_autofree char *lock_path = g_build_filename(user->directory, "lock", NULL);
    struct stat held, named;
    user->at_home =
        stat(lock_link, &held) == 0 && stat(lock_path, &named) == 0 && is_same_file(&held, &named);
}

static BerthDiskUser *describe_user(const char *pid, const struct stat *disk)
{
    g_autofree char *process = g_build_filename("/proc", pid, NULL);
    struct stat st;
    berth_autofd int pidfd = pidfd_open((pid_t)atoi(pid), 0);
    if (pidfd < 0 || stat(process, &st) < 0 || st.st_uid != geteuid() ||
        !berth_process_any_fd(process, is_link_to, disk))
        return NULL;
    BerthDiskUser *user = g_new0(BerthDiskUser, 1);
    user->pid = (pid_t)atoi(pid);
    user->pidfd = berth_fd_steal(&pidfd);
    user->program = berth_process_name(process);
    read_keeper(user, process);
    return user;
}

/* NULL if no process is visible. */
static BerthDiskUser *find_user(const struct stat *disk)
{
    g_autoptr(BerthDiskUser) found = NULL;
    g_autoptr(GDir) directory = g_dir_open("/proc", 0, NULL);
    const char *pid;
    while ((pid = berth_process_next(directory)) != NULL) {
        if (atoi(pid) == getpid())
            continue;
        g_autoptr(BerthDiskUser) user = describe_user(pid, disk);
        if (user != NULL && user->directory != NULL)
            return g_steal_pointer(&user);
        if (user != NULL && found == NULL)
            found = g_steal_pointer(&user);
    }
    return g_steal_pointer(&found);
}

bool berth_disk_user_keeps(const BerthDiskUser *user, const char *id)
{
    g_autofree char *name =
        user->directory != NULL ? g_path_get_basename(user->directory) : g_strdup("");
    return strcmp(name, id) == 0;
}

/* --- the lock --------------------------------------------------------------------------------- */

static int set_lock(int fd, int command, short type, off_t start, off_t length)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    int result;
    do
        result = fcntl(fd, command, &lock);
    while (result < 0 && errno == EINTR);
    return result;
}

/* Whether another open file description holds a lock of either kind. */
static bool is_locked(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* 1: locked; 0: another has it; -1 with errno. */
static int try_lock(int fd, BerthHold hold)
{
    short type = hold == BERTH_HOLD_READ ? F_RDLCK : F_WRLCK;
    if (set_lock(fd, F_OFD_SETLK, type, 0, 0) < 0)
        return errno == EAGAIN || errno == EACCES ? 0 : -1;
    if (!is_locked(fd))
        return 1;
    set_lock(fd, F_OFD_SETLK, F_UNLCK, 0, 0);
    return 0;
}

/* Wait until the disk is unlocked, with a time limit: a child process blocks on the lock, since
 * F_OFD_SETLKW has no timeout. Async-signal-safe calls only between fork and _exit. */
static void wait_until_free(const char *disk)
{
    pid_t child = fork();
    if (child == 0) {
        int fd = open(disk, O_RDWR | O_CLOEXEC);
        _exit(fd >= 0 && set_lock(fd, F_OFD_SETLKW, F_WRLCK, 0, 0) == 0 ? 0 : 1);
    }
    if (child < 0)
        return;
    berth_autofd int pidfd = pidfd_open(child, 0);
    struct pollfd waiter = {.fd = pidfd, .events = POLLIN};
    if (pidfd >= 0)
        poll(&waiter, 1, HOLD_TIMEOUT_MSEC);
    kill(child, SIGKILL);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
}

static bool set_running(GError **error, const BerthDistro *distro)
{
    g_autofree char *hint = g_strdup_printf("stop it first: berth terminate %s", distro->name);
    berth_error_set(error, BERTH_ERROR_BUSY, "instance.running", hint, "%s is running",
                    distro->name);
    return false;
}

static bool set_busy(GError **error, const BerthDistro *distro, const BerthDiskUser *user)
{
    if (user != NULL)
        berth_error_set(error, BERTH_ERROR_BUSY, "disk.busy",
                        "end that process, or wait for its end, then try again",
                        "%s: in use by %s, process %d", distro->disk, user->program,
                        (int)user->pid);
    else
        berth_error_set(error, BERTH_ERROR_BUSY, "disk.busy",
                        "see whether another user, container or host has it open: lslocks",
                        "%s: in use by a process that cannot be seen from here", distro->disk);
    return false;
}

static bool lock_disk(int fd, const struct stat *st, const BerthDistro *distro, BerthHold hold,
                      const char *step, GError **error)
{
    int locked = try_lock(fd, hold);
    g_autoptr(BerthDiskUser) user = locked == 0 ? find_user(st) : NULL;
    if (user != NULL && berth_disk_user_keeps(user, distro->id))
        return set_running(error, distro);
    if (locked == 0) {
        wait_until_free(distro->disk);
        locked = try_lock(fd, hold);
    }
    if (locked > 0)
        return true;
    if (locked == 0)
        return set_busy(error, distro, user);
    berth_error_set_errno(error, errno, step, "%s: lock", distro->disk);
    return false;
}

bool berth_hold_check_unparked(const BerthDistro *distro, GError **error)
{
    if (!berth_park_exists(distro->disk))
        return true;
    g_autofree char *hint =
        g_strdup_printf("continue it: berth start %s; or end it and lose unsaved data: "
                        "berth terminate %s",
                        distro->name, distro->name);
    berth_error_set(error, BERTH_ERROR_BUSY, "instance.parked", hint, "%s is parked", distro->name);
    return false;
}

int berth_hold_open(const BerthDistro *distro, BerthHold hold, const char *step, GError **error)
{
    int flags = hold == BERTH_HOLD_READ ? O_RDONLY : O_RDWR;
    struct stat st;
    berth_autofd int fd = open(distro->disk, flags | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        berth_error_set_errno(error, errno, step, "%s", distro->disk);
        return -1;
    }
    if (!lock_disk(fd, &st, distro, hold, step, error) ||
        (hold == BERTH_HOLD_WRITE && !berth_hold_check_unparked(distro, error)))
        return -1;
    if (berth_fd_is_path(fd, distro->disk))
        return berth_fd_steal(&fd);
    berth_error_set(error, BERTH_ERROR_BUSY, "distro.changed", "try again", "%s has just changed",
                    distro->name);
    return -1;
}

int berth_hold_begin_copy(const BerthDistro *distro, const BerthDiskHold *hold, const char *step,
                          struct stat *ret_before, GError **error)
{
    if (hold == NULL)
        return berth_hold_open(distro, BERTH_HOLD_READ, step, error);
    if (!hold->begin(hold->user_data, error))
        return -1;
    berth_autofd int fd = open(distro->disk, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, ret_before) == 0)
        return berth_fd_steal(&fd);
    berth_error_set_errno(error, errno, step, "%s", distro->disk);
    return -1;
}

/* Every write changes the time. */
static bool is_unwritten(int fd, const struct stat *before)
{
    struct stat after;
    return fstat(fd, &after) == 0 && after.st_size == before->st_size &&
           after.st_mtim.tv_sec == before->st_mtim.tv_sec &&
           after.st_mtim.tv_nsec == before->st_mtim.tv_nsec;
}

bool berth_hold_end_copy(int fd, const BerthDistro *distro, const BerthDiskHold *hold,
                         const struct stat *before, GError **error)
{
    if (hold == NULL)
        return true;
    if (is_unwritten(fd, before))
        return hold->release(hold->user_data, error);
    berth_error_set(error, BERTH_ERROR_BUSY, "disk.written",
                    "find the program that has it open: fuser -v FILE",
                    "%s was written while it was copied", distro->disk);
    return false;
}

bool berth_hold_save(const BerthDiskHold *hold, const BerthDistro *copy, const char *disk,
                     GError **error)
{
    return hold == NULL || hold->save == NULL || hold->save(copy, disk, hold->user_data, error);
}

bool berth_hold_saved(const BerthDiskHold *hold, GError **error)
{
    return hold == NULL || hold->save == NULL || hold->saved(hold->user_data, error);
}

bool berth_hold_pass(int *fd, const BerthDistro *distro, GError **error)
{
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", *fd);
    berth_autofd int passed = open(path, O_RDONLY | O_CLOEXEC);
    if (passed < 0 || set_lock(*fd, F_OFD_SETLK, F_RDLCK, 0, 1) < 0 ||
        set_lock(passed, F_OFD_SETLK, F_RDLCK, 0, 1) < 0) {
        berth_error_set_errno(error, errno, "disk.lock", "%s", distro->disk);
        return false;
    }
    berth_fd_close(fd);
    *fd = berth_fd_steal(&passed);
    return true;
}

bool berth_hold_is_locked(const char *disk)
{
    berth_autofd int fd = open(disk, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    return fd >= 0 && is_locked(fd);
}

BerthDiskUser *berth_hold_find(const char *disk)
{
    struct stat st;
    berth_autofd int fd = open(disk, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    return fd >= 0 && fstat(fd, &st) == 0 && is_locked(fd) ? find_user(&st) : NULL;
}
