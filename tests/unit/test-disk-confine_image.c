/* SPDX-License-Identifier: MIT
 *
 * A confined child attempts each forbidden action.
 */
#include "disk/image/confine_image.h"

#include "../lib/attempts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LAST_FD = 4 };

static int open_file(void)
{
    return result(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int open_directory(void)
{
    return result(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int open_new_way(void)
{
    guint64 how[3] = {O_RDONLY, 0, 0};
    return result(syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", how, sizeof(how)));
}

static int create_file(void)
{
    return result(open("/tmp/berth-lock-test", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
}

static int look_at_file(void)
{
    struct stat st;
    return result(fstatat(AT_FDCWD, "/etc/passwd", &st, 0));
}

static int name_descriptor(void)
{
    return result(linkat(LAST_FD, "", AT_FDCWD, "/tmp/berth-lock-test", AT_EMPTY_PATH));
}

static int make_process_new_way(void)
{
    return result(syscall(SYS_clone3, NULL, 0));
}

static void *do_nothing(void *data)
{
    return data;
}

static int make_thread(void)
{
    pthread_t thread;
    int errnum = pthread_create(&thread, NULL, do_nothing, NULL);
    return errnum != 0 ? errnum : pthread_join(thread, NULL);
}

static int send_signal(void)
{
    return result(kill(getppid(), 0));
}

static int send_signal_by_descriptor(void)
{
    return result(fcntl(0, F_SETOWN, 1));
}

static int limit_self(void)
{
    struct rlimit limit = {1 << 20, 1 << 20};
    return result(prlimit(0, RLIMIT_NOFILE, &limit, NULL));
}

static int trace_another(void)
{
    return result(ptrace(PTRACE_ATTACH, 1, NULL, NULL));
}

static int allocate_memory(void)
{
    void *memory = mmap(NULL, G_GUINT64_CONSTANT(9) << 30, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? errno : 0;
}

static int internet_socket(void)
{
    return result(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int socket_pair(void)
{
    int pair[2];
    return result(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
}

static int use_file(void)
{
    char byte = 'x';
    struct stat st;
    return result(pwrite(LAST_FD, &byte, 1, 1 << 20) < 0 || fdatasync(LAST_FD) < 0 ||
                          pread(LAST_FD, &byte, 1, 0) < 0 || ftruncate(LAST_FD, 1 << 21) < 0 ||
                          fallocate(LAST_FD, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) <
                              0 ||
                          fstat(LAST_FD, &st) < 0
                      ? -1
                      : 0);
}

static int use_descriptor_above(void)
{
    return result(fcntl(LAST_FD + 1, F_GETFD));
}

static int leave_core(void)
{
    struct rlimit core;
    return getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0 ? EPERM : 0;
}

#ifdef __SANITIZE_ADDRESS__
#define WITH_MEMORY_LIMIT 0 /* the sanitizer's shadow memory would exceed it */
#else
#define WITH_MEMORY_LIMIT ENOMEM
#endif

static const Attempt attempts[] = {
    {"open-file", open_file, EPERM},
    {"open-directory", open_directory, EPERM},
    {"open-new-way", open_new_way, EPERM},
    {"create-file", create_file, EPERM},
    {"look-at-file", look_at_file, EPERM},
    {"remove-file", remove_file, EPERM},
    {"name-descriptor", name_descriptor, EPERM},
    {"run-program", run_program, EPERM},
    {"make-process", make_process, EPERM},
    {"make-process-new-way", make_process_new_way, ENOSYS},
    {"make-thread", make_thread, 0},
    {"send-signal", send_signal, EPERM},
    {"send-signal-by-descriptor", send_signal_by_descriptor, EPERM},
    {"limit-self", limit_self, EPERM},
    {"trace-another", trace_another, EPERM},
    {"make-code", make_code, EPERM},
    {"take-memory", allocate_memory, WITH_MEMORY_LIMIT},
    {"internet-socket", internet_socket, EPERM},
    {"unix-socket", unix_socket, EPERM},
    {"socket-pair", socket_pair, EPERM},
    {"type-for-the-user", type_for_the_user, EPERM},
    {"become-another", become_another, EPERM},
    {"use-file", use_file, 0},
    {"use-descriptor-above-the-last", use_descriptor_above, EBADF},
    {"leave-core", leave_core, EPERM},
};

static bool confine(void)
{
    FILE *file = tmpfile();
    dup2(fileno(file), LAST_FD);
    dup2(0, LAST_FD + 1);
    return berth_confine_image(LAST_FD, NULL);
}

/* A confined child dies with its parent. */
static void test_dies_with_parent(void)
{
    int alive[2];
    g_assert_cmpint(pipe(alive), ==, 0);
    pid_t parent = fork();
    if (parent == 0) {
        if (fork() == 0) {
            dup2(alive[1], LAST_FD);
            bool locked = berth_confine_image(LAST_FD, NULL);
            (void)!write(LAST_FD, locked ? "y" : "n", 1);
            for (;;)
                poll(NULL, 0, 1000);
        }
        char word;
        close(alive[1]);
        bool told = read(alive[0], &word, 1) == 1 && word == 'y';
        _exit(told ? 0 : 1);
    }
    close(alive[1]);
    int status;
    g_assert_cmpint(waitpid(parent, &status, 0), ==, parent);
    g_assert_cmpint(status, ==, 0);
    char word;
    g_assert_cmpint(read(alive[0], &word, 1), ==, 0); /* the other end is closed */
    close(alive[0]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    attempts_add_tests("/disk/lock", confine, attempts, G_N_ELEMENTS(attempts));
    g_test_add_func("/disk/lock/dies-with-parent", test_dies_with_parent);
    return g_test_run();
}
