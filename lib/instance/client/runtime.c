/* SPDX-License-Identifier: MIT */
#include "runtime.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "instance/control/runtime_files.h"
#include "detach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* For a keeper that no longer listens to end. */
#define LEAVE_TIMEOUT_MSEC 60000
/* For a killed keeper to end: the kernel only frees its memory and sockets. */
#define KILL_TIMEOUT_MSEC 10000

/* A new socket, and the address of the control socket in @dir. */
static int new_socket(const char *dir, struct sockaddr_un *ret_address, GError **error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof(address.sun_path), "%s/control", dir);
    if (length < 0 || (gsize)length >= sizeof(address.sun_path)) {
        berth_error_set(error, BERTH_ERROR_INVALID, "instance.path",
                        "set XDG_RUNTIME_DIR to a shorter path", "%s: too long for a socket", dir);
        return -1;
    }
    *ret_address = address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        berth_error_set_errno(error, errno, "instance.start", "socket");
    return fd;
}

static int connect_to(const char *dir, GError **error)
{
    struct sockaddr_un address;
    berth_autofd int fd = new_socket(dir, &address, error);
    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        berth_error_set(error, BERTH_ERROR_NOT_RUNNING, "instance.not-running", NULL,
                        "is not running");
        return -1;
    }
    return berth_fd_steal(&fd);
}

int berth_runtime_connect_in(const char *dir, GError **error)
{
    return connect_to(dir, error);
}

int berth_runtime_connect(const char *runtime_dir, const char *id, GError **error)
{
    g_autofree char *dir = g_build_filename(runtime_dir, id, NULL);
    return connect_to(dir, error);
}

static int open_lock(const char *dir, const char *name, GError **error)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        berth_error_set_errno(error, errno, "instance.start", "%s", path);
    return fd;
}

static int flock_eintr(int fd, int operation)
{
    int result;
    do
        result = flock(fd, operation);
    while (result < 0 && errno == EINTR);
    return result;
}

/* Wait until the keeper that holds the lock has ended. It does not listen, so it is ending or died
 * before it listened. */
static bool wait_for_leaver(int lock_fd, GError **error)
{
    pid_t pid;
    berth_autofd int pidfd = berth_process_open_from(lock_fd, &pid);
    struct pollfd poller = {.fd = pidfd, .events = POLLIN};
    if (pidfd < 0 || poll(&poller, 1, LEAVE_TIMEOUT_MSEC) == 1)
        return true;

    berth_error_set(error, BERTH_ERROR_BUSY, "instance.start.busy",
                    "end that process, then try again", "its former keeper (pid %d) does not end",
                    (int)pid);
    return false;
}

/* Acquire the keeper's lock: no keeper runs, and no other can start. Truncates it, so that it does
 * not name the former keeper until the new one writes its pid. */
static int acquire_lock(const char *dir, GError **error)
{
    berth_autofd int fd = open_lock(dir, BERTH_RUNTIME_LOCK, error);
    if (fd < 0)
        return -1;
    if (flock_eintr(fd, LOCK_EX | LOCK_NB) < 0 && !wait_for_leaver(fd, error))
        return -1;
    if (flock_eintr(fd, LOCK_EX) == 0 && ftruncate(fd, 0) == 0)
        return berth_fd_steal(&fd);
    berth_error_set_errno(error, errno, "instance.start", "%s/lock", dir);
    return -1;
}

static int listen_in(const char *dir, GError **error)
{
    struct sockaddr_un address;
    berth_autofd int fd = new_socket(dir, &address, error);
    if (fd < 0)
        return -1;

    unlink(address.sun_path);
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 128) < 0) {
        berth_error_set_errno(error, errno, "instance.start", "%s", address.sun_path);
        return -1;
    }
    return berth_fd_steal(&fd);
}

static bool write_machine(const BerthMachine *machine, const char *dir, GError **error)
{
    g_autofree char *path = g_build_filename(dir, BERTH_RUNTIME_MACHINE, NULL);
    g_autofree char *text = berth_machine_to_text(machine);
    g_autoptr(GError) problem = NULL;
    if (g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &problem))
        return true;
    berth_error_set(error, BERTH_ERROR_FAILED, "instance.start.io", NULL, "%s", problem->message);
    return false;
}

static bool spawn_keeper(const char *dir, const char *support_dir, int lock_fd, int listen_fd,
                         int disk_fd, int memory_fd, GError **error)
{
    g_autofree char *program = g_build_filename(support_dir, "berth-keeper", NULL);
    g_autofree char *log_path = g_build_filename(dir, BERTH_RUNTIME_LOG, NULL);
    char *const argv[] = {program, (char *)dir, (char *)support_dir, NULL};
    berth_autofd int log_fd = open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (log_fd < 0) {
        berth_error_set_errno(error, errno, "instance.start", "%s", log_path);
        return false;
    }
    struct stat disk = {0};
    if (disk_fd >= 0)
        fstat(disk_fd, &disk);
    const BerthDetach keeper = {.argv = argv,
                                .log_fd = log_fd,
                                .fds = {lock_fd, listen_fd, disk_fd, memory_fd},
                                .n_fds = 4, /* cmd/berth-keeper */
                                .file_size = (guint64)disk.st_size};
    return berth_detach(&keeper, error);
}

/* The check runs after the former keeper has ended: its files are closed, and the directory has no
 * owner. */
static bool start_keeper(const BerthMachine *machine, const char *dir, const char *support_dir,
                         const BerthRuntimeCheck *check, GError **error)
{
    berth_autofd int lock_fd = acquire_lock(dir, error);
    berth_autofd int disk_fd = -1;
    if (lock_fd < 0 || (check != NULL && !check->may_start(check->user_data, &disk_fd, error)) ||
        !write_machine(machine, dir, error))
        return false;
    berth_autofd int listen_fd = listen_in(dir, error);
    int memory_fd = check != NULL && check->memory != NULL ? *check->memory : -1;
    return listen_fd >= 0 &&
           spawn_keeper(dir, support_dir, lock_fd, listen_fd, disk_fd, memory_fd, error);
}

int berth_runtime_start(const BerthMachine *machine, const char *runtime_dir,
                        const char *support_dir, const BerthRuntimeCheck *check, GError **error)
{
    g_autofree char *dir = g_build_filename(runtime_dir, machine->id, NULL);
    int fd = connect_to(dir, NULL);
    if (fd >= 0)
        return fd;

    if (g_mkdir_with_parents(dir, 0700) < 0) {
        berth_error_set_errno(error, errno, "instance.start", "%s", dir);
        return -1;
    }
    berth_autofd int starter_fd = open_lock(dir, BERTH_RUNTIME_START, error);
    if (starter_fd < 0)
        return -1;
    if (flock_eintr(starter_fd, LOCK_EX) < 0) {
        berth_error_set_errno(error, errno, "instance.start", "%s/start", dir);
        return -1;
    }

    fd = connect_to(dir, NULL); /* another command may have started it meanwhile */
    if (fd >= 0)
        return fd;
    if (!start_keeper(machine, dir, support_dir, check, error))
        return -1;
    return connect_to(dir, error);
}

/* Open @name in @dir and lock it. -1 without @error when the file does not exist. */
static int lock_existing(const char *dir, const char *name, GError **error)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    berth_autofd int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd >= 0 && flock_eintr(fd, LOCK_EX) == 0)
        return berth_fd_steal(&fd);
    if (fd >= 0 || errno != ENOENT)
        berth_error_set_errno(error, errno, "instance.start", "%s", path);
    return -1;
}

static bool is_running(const char *dir)
{
    berth_autofd int fd = connect_to(dir, NULL);
    return fd >= 0;
}

/* Wait until the keeper's lock is free. */
static bool wait_until_unlocked(const char *dir, GError **error)
{
    g_autofree char *path = g_build_filename(dir, BERTH_RUNTIME_LOCK, NULL);
    berth_autofd int fd = open(path, O_RDWR | O_CLOEXEC);
    return fd < 0 || flock_eintr(fd, LOCK_EX | LOCK_NB) == 0 || wait_for_leaver(fd, error);
}

bool berth_runtime_require_stopped(const char *runtime_dir, const char *id, const char *name,
                                   GError **error)
{
    g_autofree char *dir = g_build_filename(runtime_dir, id, NULL);
    g_autoptr(GError) problem = NULL;
    bool running = is_running(dir);
    berth_autofd int starter_fd = running ? -1 : lock_existing(dir, BERTH_RUNTIME_START, &problem);
    if (problem != NULL) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    if (!running && !is_running(dir))
        return wait_until_unlocked(dir, error);

    g_autofree char *hint = g_strdup_printf("stop it first: berth terminate %s", name);
    berth_error_set(error, BERTH_ERROR_BUSY, "instance.running", hint, "%s is running", name);
    return false;
}

bool berth_runtime_is_gone(const GError *error)
{
    return berth_error_is(error, BERTH_ERROR_NOT_RUNNING) ||
           strcmp(berth_error_id(error), "instance.lost") == 0;
}

/* False when the process has not ended within @timeout_msec; with @error if it cannot be
 * signalled. */
static bool signal_and_wait(int pidfd, pid_t pid, int number, int timeout_msec, GError **error)
{
    if (pidfd_send_signal(pidfd, number, NULL, 0) < 0 && errno != ESRCH) {
        berth_error_set_errno(error, errno, "instance.kill", "keeper %d", (int)pid);
        return false;
    }
    struct pollfd poller = {.fd = pidfd, .events = POLLIN};
    return poll(&poller, 1, timeout_msec) == 1;
}

bool berth_runtime_end(int pidfd, pid_t pid, int grace_sec, GError **error)
{
    g_autoptr(GError) problem = NULL;
    if ((grace_sec > 0 && signal_and_wait(pidfd, pid, SIGINT, grace_sec * 1000, &problem)) ||
        (problem == NULL && signal_and_wait(pidfd, pid, SIGKILL, KILL_TIMEOUT_MSEC, &problem)))
        return true;
    if (problem != NULL)
        g_propagate_error(error, g_steal_pointer(&problem));
    else
        berth_error_set(error, BERTH_ERROR_BUSY, "instance.stuck", NULL, "keeper %d does not end",
                        (int)pid);
    return false;
}

bool berth_runtime_kill(const char *runtime_dir, const char *id, GError **error)
{
    g_autofree char *path = g_build_filename(runtime_dir, id, BERTH_RUNTIME_LOCK, NULL);
    berth_autofd int lock_fd = open(path, O_RDWR | O_CLOEXEC);
    if (lock_fd < 0 || flock_eintr(lock_fd, LOCK_EX | LOCK_NB) == 0)
        return true; /* the lock is free: no keeper */

    pid_t pid;
    berth_autofd int pidfd = berth_process_open_from(lock_fd, &pid);
    return pidfd < 0 || berth_runtime_end(pidfd, pid, 0, error);
}

bool berth_runtime_clean(const char *runtime_dir, const char *id)
{
    g_autofree char *dir = g_build_filename(runtime_dir, id, NULL);
    berth_autofd int starter_fd = open_lock(dir, BERTH_RUNTIME_START, NULL);
    berth_autofd int lock_fd = open_lock(dir, BERTH_RUNTIME_LOCK, NULL);
    if (starter_fd < 0 || flock_eintr(starter_fd, LOCK_EX | LOCK_NB) < 0 || lock_fd < 0 ||
        flock_eintr(lock_fd, LOCK_EX | LOCK_NB) < 0)
        return false;
    berth_autofd int dir_fd = berth_runtime_files_open(dir);
    berth_runtime_files_end(dir_fd);
    return dir_fd >= 0;
}

void berth_runtime_forget(const char *runtime_dir, const char *id)
{
    g_autofree char *dir = g_build_filename(runtime_dir, id, NULL);
    berth_runtime_files_forget(dir);
}
