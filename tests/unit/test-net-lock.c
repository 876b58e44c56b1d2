/* SPDX-License-Identifier: MIT
 *
 * Each wall is tried from inside, by a child that has locked itself in.
 */
#include "net/lock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Each attempt returns 0, or the errno that stopped it. */

static int result(long value)
{
    return value < 0 ? errno : 0;
}

static int read_file(void)
{
    int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    char byte;
    return fd < 0 ? errno : result(read(fd, &byte, 1));
}

static int write_file(void)
{
    return result(open("/dev/null", O_WRONLY | O_CLOEXEC));
}

static int change_file(void)
{
    return result(open("/dev/null", O_RDWR | O_CLOEXEC));
}

static int create_file(void)
{
    return result(open("/tmp/berth-lock-test", O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int remove_file(void)
{
    return result(unlink("/tmp/berth-lock-test-that-is-not-there"));
}

static int run_program(void)
{
    return result(execl("/bin/true", "true", NULL));
}

static int make_process(void)
{
    return result(fork());
}

static int send_signal(void)
{
    return result(kill(getpid(), 0));
}

static int send_signal_to_thread(void)
{
    return result(tgkill(getppid(), getppid(), 0));
}

static int send_signal_by_descriptor(void)
{
    return result(fcntl(0, F_SETOWN, getppid()));
}

static int limit_parent(void)
{
    struct rlimit limit;
    return result(prlimit(getppid(), RLIMIT_NOFILE, NULL, &limit));
}

static int trace_parent(void)
{
    return result(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

static int make_code(void)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? errno : 0;
}

static int make_memory(void)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? errno : 0;
}

static int internet_stream(void)
{
    return result(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int internet_datagram(void)
{
    return result(socket(AF_INET6, SOCK_DGRAM, 0));
}

static int raw_socket(void)
{
    return result(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
}

static int unix_socket(void)
{
    return result(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int netlink_socket(void)
{
    return result(socket(AF_NETLINK, SOCK_DGRAM, 0));
}

static int packet_socket(void)
{
    return result(socket(AF_PACKET, SOCK_RAW, 0));
}

static int count_waiting_bytes(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0), count;
    return result(ioctl(fd, FIONREAD, &count));
}

static int type_for_the_user(void)
{
    return result(ioctl(0, TIOCSTI, "x"));
}

static int raise_limit(void)
{
    struct rlimit limit = {8192, 8192};
    return result(setrlimit(RLIMIT_NOFILE, &limit));
}

static int become_another(void)
{
    return result(setuid(0));
}

static int take_privileged_port(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return result(bind(fd, (struct sockaddr *)&address, sizeof(address)));
}

static int use_descriptor_5(void)
{
    return result(fcntl(5, F_GETFD));
}

static int use_descriptor_4(void)
{
    return result(fcntl(4, F_GETFD));
}

static const struct {
    const char *name;
    int (*attempt)(void);
    int errnum;
} attempts[] = {
    {"read-file", read_file, 0},
    {"write-file", write_file, EPERM},
    {"change-file", change_file, EPERM},
    {"create-file", create_file, EPERM},
    {"remove-file", remove_file, EPERM},
    {"run-program", run_program, EPERM},
    {"make-process", make_process, EPERM},
    {"send-signal", send_signal, EPERM},
    {"send-signal-to-thread", send_signal_to_thread, EPERM},
    {"send-signal-by-descriptor", send_signal_by_descriptor, EPERM},
    {"limit-parent", limit_parent, EPERM},
    {"trace-parent", trace_parent, EPERM},
    {"make-code", make_code, EPERM},
    {"make-memory", make_memory, 0},
    {"internet-stream", internet_stream, 0},
    {"internet-datagram", internet_datagram, 0},
    {"raw-socket", raw_socket, EPERM},
    {"unix-socket", unix_socket, EPERM},
    {"netlink-socket", netlink_socket, EPERM},
    {"packet-socket", packet_socket, EPERM},
    {"count-waiting-bytes", count_waiting_bytes, 0},
    {"type-for-the-user", type_for_the_user, EPERM},
    {"raise-limit", raise_limit, EPERM},
    {"become-another", become_another, EPERM},
    {"take-privileged-port", take_privileged_port, EACCES},
    {"use-descriptor-above-the-last", use_descriptor_5, EBADF},
    {"use-last-descriptor", use_descriptor_4, 0},
};

/* The exit status of a child that locks itself in and does this; 255 when the lock fails. */
static int status_of(int (*attempt)(void))
{
    pid_t child = fork();
    g_assert_cmpint(child, >=, 0);
    if (child == 0) {
        dup2(1, 4);
        dup2(1, 5);
        _exit(berth_lock_in(4, NULL) ? attempt() : 255);
    }
    int status;
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_attempt(gconstpointer data)
{
    gsize index = GPOINTER_TO_SIZE(data);
    g_assert_cmpint(status_of(attempts[index].attempt), ==, attempts[index].errnum);
}

static bool status_says(const char *status, const char *key, const char *value)
{
    g_autofree char *line = g_strdup_printf("\n%s:\t%s\n", key, value);
    return strstr(status, line) != NULL;
}

/* 0 when all is as it should be, the number of the check otherwise. */
static int look_at_self(void)
{
    g_autofree char *status = NULL;
    struct rlimit limit;
    if (!g_file_get_contents("/proc/self/status", &status, NULL, NULL))
        return 1;
    if (!status_says(status, "CapEff", "0000000000000000") ||
        !status_says(status, "CapPrm", "0000000000000000") ||
        !status_says(status, "CapInh", "0000000000000000"))
        return 2;
    if (!status_says(status, "NoNewPrivs", "1") || !status_says(status, "Seccomp", "2"))
        return 3;
    if (getrlimit(RLIMIT_CORE, &limit) != 0 || limit.rlim_max != 0)
        return 4;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max > 4096 ||
        limit.rlim_cur != limit.rlim_max)
        return 5;
    return 0;
}

static void test_process_state(void)
{
    g_assert_cmpint(status_of(look_at_self), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(attempts); i++) {
        g_autofree char *path = g_strconcat("/net/lock/", attempts[i].name, NULL);
        g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_attempt);
    }
    g_test_add_func("/net/lock/process-state", test_process_state);
    return g_test_run();
}
