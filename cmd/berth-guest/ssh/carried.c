/* SPDX-License-Identifier: MIT */
#include "carried.h"

#include "cpio.h"
#include "relay.h"

#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PLACE          "/run/berth/ssh"
#define LOCK           "/run/berth/ssh.lock"
#define NEW            PLACE "/new"
#define SIZE_MAX_BYTES (64ul << 20)

/* Bytes of a channel on their way without an acknowledgement; dropbear's own default is 24 KiB. */
#define WINDOW "1048576"

bool carried_is_there(void)
{
    return access(CARRIED "/" CARRIED_SESSION, X_OK) == 0;
}

/* ---- unpacking ---- */

/* Copy this program, which is static, as the shell of dropbear's root. */
static int copy_self(void)
{
    int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (self < 0)
        return -errno;
    int result = file_copy(self, NEW "/" CARRIED_SESSION, 0755);
    close(self);
    return result;
}

static int unpack_into(const char *path)
{
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return -errno;
    int result = cpio_unpack(STDIN_FILENO, directory, SIZE_MAX_BYTES);
    close(directory);
    return result;
}

/* An earlier attempt that was cut short goes with its tmpfs. */
static int unpack(void)
{
    int result = file_make_directories(PLACE, 0755);
    if (result < 0)
        return result;
    umount2(PLACE, MNT_DETACH);
    if (mount("berth-ssh", PLACE, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=96m") < 0 ||
        mkdir(NEW, 0755) < 0)
        return -errno;
    result = unpack_into(NEW);
    if (result == 0)
        result = copy_self();
    if (result == 0 && rename(NEW, CARRIED) < 0)
        result = -errno;
    return result;
}

/* Two connections may find at once that it is not there. */
int carried_unpack(void)
{
    int result = file_make_directories("/run/berth", 0755);
    int lock = open(LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (result == 0 && (lock < 0 || flock(lock, LOCK_EX) < 0))
        result = -errno;
    if (result == 0 && !carried_is_there())
        result = unpack();
    if (lock >= 0)
        close(lock);
    return result;
}

/* ---- the root of one connection ---- */

static int write_key(const char *digits, const char *path)
{
    char bytes[256];
    size_t size = strlen(digits) / 2;
    if (size > sizeof(bytes))
        return -EINVAL;
    for (size_t i = 0; i < size; i++) {
        unsigned byte;
        if (sscanf(digits + 2 * i, "%2x", &byte) != 1)
            return -EINVAL;
        bytes[i] = (char)byte;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int result = file_write_all(fd, bytes, size);
    close(fd);
    return result;
}

/* Forwarded connections name hosts as the distro knows them. A file that is not there, or is too
 * large to be one, is left out. */
static int copy_names(void)
{
    static const char *const names[] = {"hosts", "resolv.conf"};
    int result = 0;
    for (size_t i = 0; result == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
        char from[32], to[64];
        snprintf(from, sizeof(from), "/etc/%s", names[i]);
        snprintf(to, sizeof(to), CARRIED "/etc/%s", names[i]);
        char *text = file_read(from);
        if (text != NULL)
            result = file_replace(to, text, 0644);
        free(text);
    }
    return result;
}

/* The files that dropbear reads. */
static int write_files(const SshRequest *request)
{
    char user[128];
    int length =
        snprintf(user, sizeof(user), "%s:*:0:0::/etc/home:/" CARRIED_SESSION "\n", request->user);
    if (length >= (int)sizeof(user))
        return -ENAMETOOLONG;
    const struct {
        const char *path, *text;
    } files[] = {
        {CARRIED "/etc/passwd", user},
        {CARRIED "/etc/group", "root:x:0:\n"},
        {CARRIED "/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"},
        {CARRIED "/etc/shells", "/" CARRIED_SESSION "\n"},
        {CARRIED "/etc/home/.ssh/authorized_keys", request->client_key},
        {CARRIED CARRIED_OFFERED, request->offered != NULL ? request->offered : ""},
    };
    int result = file_make_directories(CARRIED "/etc/home/.ssh", 0700);
    for (size_t i = 0; result == 0 && i < sizeof(files) / sizeof(files[0]); i++)
        result = file_replace(files[i].path, files[i].text, 0600);
    if (result == 0)
        result = copy_names();
    return result == 0 ? write_key(request->dropbear_key, CARRIED "/etc/host_key") : result;
}

/* Mounts of the distro go on being unmounted here, too: none is kept busy. */
static int make_namespace(void)
{
    static const char *const shared[] = {"dev", "proc", "tmp"};
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
        mount(CARRIED, CARRIED, NULL, MS_BIND, NULL) < 0 ||
        mount("berth-ssh", CARRIED "/etc", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m") < 0)
        return -errno;
    for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
        char from[16], to[64];
        snprintf(from, sizeof(from), "/%s", shared[i]);
        snprintf(to, sizeof(to), CARRIED "/%s", shared[i]);
        if (mount(from, to, NULL, MS_BIND | MS_REC, NULL) < 0)
            return -errno;
    }
    return 0;
}

static int enter_root(void)
{
    if (chdir(CARRIED) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
        umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return -errno;
    return 0;
}

static int exec_dropbear(void)
{
    static const char *const argv[] = {
        "/ld.so", "--library-path", "/lib", "/dropbear",     "-i", "-s", "-m",
        "-W",     WINDOW,           "-r",   "/etc/host_key", NULL};
    static const char *const environment[] = {"PATH=/", NULL};
    execve(argv[0], (char *const *)argv, (char *const *)environment);
    return -errno;
}

static int become_dropbear(const SshRequest *request, const char **ret_what)
{
    *ret_what = "mount namespace";
    int result = make_namespace();
    if (result == 0) {
        *ret_what = "files of dropbear";
        result = write_files(request);
    }
    if (result == 0) {
        *ret_what = "root of dropbear";
        result = enter_root();
    }
    if (result < 0)
        return result;
    *ret_what = "dropbear";
    return exec_dropbear();
}

/* ---- serving ---- */

/* In the child. */
__attribute__((noreturn)) static void run_child(const SshRequest *request, int socket)
{
    const char *what = "socket";
    int result = dup2(socket, STDIN_FILENO) < 0 || dup2(socket, STDOUT_FILENO) < 0 ? -errno : 0;
    if (result == 0)
        result = become_dropbear(request, &what);
    dprintf(STDERR_FILENO, "berth: ssh server: %s: %s\n", what, strerror(-result));
    _exit(EXIT_FAILURE);
}

int carried_serve(const SshRequest *request, const char **ret_what)
{
    int pair[2], status;
    *ret_what = "process";
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0)
        run_child(request, pair[1]);
    close(pair[1]);
    signal(SIGPIPE, SIG_IGN);
    *ret_what = "relay";
    int result = relay_run(STDIN_FILENO, STDOUT_FILENO, pair[0]);
    close(pair[0]);
    if (result < 0)
        return result;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

int carried_sftp(char *const *environment)
{
    static const char *const argv[] = {CARRIED "/ld.so", "--library-path", CARRIED "/lib",
                                       CARRIED "/sftp-server", NULL};
    execve(argv[0], (char *const *)argv, environment);
    return -errno;
}
