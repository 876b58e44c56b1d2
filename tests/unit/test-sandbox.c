/* SPDX-License-Identifier: MIT
 *
 * Each layer of the sandbox except seccomp, which allows the calls here so that the other layers
 * must stop them.
 */
#include "sandbox/namespaces.h"
#include "sandbox/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const int allowed[] = {
    SCMP_SYS(openat),  SCMP_SYS(open),        SCMP_SYS(close),      SCMP_SYS(exit_group),
    SCMP_SYS(read),    SCMP_SYS(getdents64),  SCMP_SYS(newfstatat), SCMP_SYS(fstat),
    SCMP_SYS(brk),     SCMP_SYS(mmap),        SCMP_SYS(munmap),     SCMP_SYS(socket),
    SCMP_SYS(connect), SCMP_SYS(sethostname), SCMP_SYS(mount),      SCMP_SYS(kill),
    SCMP_SYS(getppid), SCMP_SYS(getpid),      SCMP_SYS(fcntl),      SCMP_SYS(chroot),
    SCMP_SYS(getuid),  SCMP_SYS(getgid),      SCMP_SYS(semget),     SCMP_SYS(write),
    SCMP_SYS(getpgid), SCMP_SYS(sigaltstack),
};

typedef struct {
    bool no_paths;
    bool leave_host;
} Layers;

static const Layers landlock = {.no_paths = true}, namespaces = {.leave_host = true};

/* The exit status of a child confined by @layers; 255 when confining fails. */
static int status_of(const Layers *layers, int (*attempt)(void))
{
    pid_t child = fork();
    g_assert_cmpint(child, >=, 0);
    if (child == 0) {
        const BerthSandbox sandbox = {
            .step = "test.sandbox",
            .what = "confine the test",
            .last_fd = 2,
            .descriptors_max = 64,
            .no_paths = layers->no_paths,
            .leave_host = layers->leave_host,
            .allowed = allowed,
            .n_allowed = G_N_ELEMENTS(allowed),
        };
        _exit(berth_sandbox_enter(&sandbox, NULL) ? attempt() : 255);
    }
    int status;
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int result(long value)
{
    return value < 0 ? errno : 0;
}

static int leave(void)
{
    return berth_namespaces_leave();
}

/* Whether this host permits the namespaces, tried in an unconfined process. */
static bool can_leave(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(leave());
    int status;
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    return WEXITSTATUS(status) == 0;
}

static int landlock_version(void)
{
    return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
}

/* --- attempts --- */

static int read_file(void)
{
    return result(open("/etc/passwd", O_RDONLY));
}

static int read_own_status(void)
{
    return result(open("/proc/self/status", O_RDONLY));
}

static int create_file(void)
{
    return result(open("/new", O_WRONLY | O_CREAT, 0600));
}

static int climb(void)
{
    return result(open("../../../../../../etc/passwd", O_RDONLY));
}

/* 0 for an empty directory. */
static int count_root(void)
{
    DIR *root = opendir("/");
    if (root == NULL)
        return errno;
    int count = 0;
    struct dirent *entry;
    while ((entry = readdir(root)) != NULL)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    return count;
}

static int be_who_one_was(void)
{
    return getuid() == 65534 || getgid() == 65534; /* nobody, without a mapping */
}

static int name_host(void)
{
    return result(sethostname("x", 1));
}

static int mount_something(void)
{
    return result(mount("none", "/", "tmpfs", 0, NULL));
}

static int change_root(void)
{
    return result(chroot("/"));
}

#define SEMAPHORE 0x62657274

static int see_semaphores(void)
{
    return result(semget(SEMAPHORE, 1, 0));
}

static int kill_parent(void)
{
    return result(kill(getppid(), 0));
}

static int signal_self(void)
{
    return result(kill(getpid(), 0));
}

static struct sockaddr_un abstract_name(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "berth-test-sandbox-%d", getpgid(0));
    return name;
}

static int reach_abstract_socket(void)
{
    struct sockaddr_un name = abstract_name();
    return result(connect(socket(AF_UNIX, SOCK_DGRAM, 0), (struct sockaddr *)&name, sizeof(name)));
}

static struct sockaddr_un path_name(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof(name.sun_path), "/tmp/berth-test-sandbox-%d", getpgid(0));
    return name;
}

static int reach_socket_with_a_path(void)
{
    struct sockaddr_un name = path_name();
    return result(connect(socket(AF_UNIX, SOCK_DGRAM, 0), (struct sockaddr *)&name, sizeof(name)));
}

/* --- tests --- */

static void test_namespaces(void)
{
    static const struct {
        int (*attempt)(void);
        int errnum;
    } cases[] = {
        {read_file, ENOENT},
        {read_own_status, ENOENT},
        {create_file, EROFS},
        {climb, ENOENT},
        {count_root, 0},
        {be_who_one_was, 0},
        {name_host, EPERM},
        {mount_something, EPERM},
        {change_root, EPERM},
        {see_semaphores, ENOENT},
        {reach_socket_with_a_path, ENOENT},
    };
    if (!can_leave()) {
        g_test_skip("this host lets nobody leave");
        return;
    }
    struct sockaddr_un name = path_name();
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    int semaphore = semget(SEMAPHORE, 1, IPC_CREAT | 0600);
    unlink(name.sun_path);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&name, sizeof(name)), ==, 0);
    g_assert_cmpint(reach_socket_with_a_path(), ==, 0);
    g_assert_cmpint(see_semaphores(), ==, 0);

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%zu", i);
        g_assert_cmpint(status_of(&namespaces, cases[i].attempt), ==, cases[i].errnum);
    }
    close(fd);
    unlink(name.sun_path);
    semctl(semaphore, 0, IPC_RMID);
}

static void test_landlock(void)
{
    if (landlock_version() <= 0) {
        g_test_skip("no Landlock here");
        return;
    }
    g_assert_cmpint(status_of(&landlock, read_file), ==, EACCES);
    g_assert_cmpint(status_of(&landlock, create_file), ==, EACCES);
    g_assert_cmpint(status_of(&landlock, climb), ==, EACCES);
}

static void test_landlock_scope(void)
{
    if (landlock_version() < 6) {
        g_test_skip("no Landlock of version 6 here");
        return;
    }
    struct sockaddr_un name = abstract_name();
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&name, sizeof(name)), ==, 0);
    g_assert_cmpint(status_of(&namespaces, reach_abstract_socket), ==, 0); /* is reachable */
    g_assert_cmpint(status_of(&landlock, reach_abstract_socket), ==, EPERM);
    g_assert_cmpint(status_of(&landlock, kill_parent), ==, EPERM);
    g_assert_cmpint(status_of(&landlock, signal_self), ==, 0);
    close(fd);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sandbox/namespaces", test_namespaces);
    g_test_add_func("/sandbox/landlock", test_landlock);
    g_test_add_func("/sandbox/landlock-scope", test_landlock_scope);
    return g_test_run();
}
