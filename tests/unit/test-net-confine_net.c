/* SPDX-License-Identifier: MIT
 *
 * A confined child attempts each forbidden action.
 */
#include "net/confine_net.h"

#include "../lib/attempts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

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

static int raise_limit(void)
{
    struct rlimit limit = {8192, 8192};
    return result(setrlimit(RLIMIT_NOFILE, &limit));
}

static int bind_privileged_port(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return result(bind(fd, (struct sockaddr *)&address, sizeof(address)));
}

static int use_descriptor_8(void)
{
    return result(fcntl(8, F_GETFD));
}

static int use_descriptor_4(void)
{
    return result(fcntl(4, F_GETFD));
}

static int other_protocol(void)
{
    return result(socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP));
}

static int give_the_kernel_a_program(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    return result(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, "", 0));
}

static int set_option(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return result(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)));
}

/* Descriptor 3 is a datagram socket, as the frames' is; this is the name of another process's
 * socket. */
static const struct sockaddr_un elsewhere = {AF_UNIX, "\0berth-test-lock"};

static int connect_frames_elsewhere(void)
{
    return result(connect(3, (const struct sockaddr *)&elsewhere, sizeof(elsewhere)));
}

static int send_frames_elsewhere(void)
{
    return result(sendto(3, "x", 1, 0, (const struct sockaddr *)&elsewhere, sizeof(elsewhere)));
}

static int send_message_elsewhere(void)
{
    struct msghdr message = {.msg_name = (void *)&elsewhere, .msg_namelen = sizeof(elsewhere)};
    return result(sendmsg(3, &message, 0));
}

static int move_frames(void)
{
    return result(dup2(3, 100));
}

static int send_frame(void)
{
    return result(send(3, "x", 1, 0));
}

static int send_to_the_network(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    return result(sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof(address)));
}

static int read_memory_of_parent(void)
{
    char path[32];
    snprintf(path, sizeof(path), "/proc/%d/mem", (int)getppid());
    return result(open(path, O_RDONLY));
}

static int see_processes(void)
{
    return result(open("/proc", O_RDONLY | O_DIRECTORY));
}

static int open_too_many(void)
{
    for (int i = 0; i < 4096; i++)
        if (socket(AF_INET, SOCK_DGRAM, 0) < 0)
            return errno;
    return 0;
}

static const Attempt attempts[] = {
    {"read-file", read_file, EPERM},
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
    {"take-privileged-port", bind_privileged_port, EACCES},
    {"use-descriptor-above-the-last", use_descriptor_8, EBADF},
    {"other-protocol", other_protocol, EPERM},
    {"give-the-kernel-a-program", give_the_kernel_a_program, EPERM},
    {"set-option", set_option, 0},
    {"connect-frames-elsewhere", connect_frames_elsewhere, EPERM},
    {"send-frames-elsewhere", send_frames_elsewhere, EPERM},
    {"send-message-elsewhere", send_message_elsewhere, EPERM},
    {"move-frames", move_frames, EPERM},
    {"send-frame", send_frame, 0},
    {"send-to-the-network", send_to_the_network, 0},
    {"read-memory-of-parent", read_memory_of_parent, EPERM},
    {"see-processes", see_processes, EPERM},
    {"open-too-many", open_too_many, EMFILE},
    {"use-last-descriptor", use_descriptor_4, 0},
};

static bool confine(void)
{
    int frames[2];
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_DGRAM, 0, frames), ==, 0);
    int kept = fcntl(frames[1], F_DUPFD, 100);
    dup2(frames[0], 3);
    dup2(kept, 4); /* keeps the other end open */
    dup2(1, 10);
    return berth_confine_net(4, NULL);
}

/* --- calls that are refused with any argument --- */

static const struct {
    const char *name;
    long number;
} refused[] = {
#define CALL(name)                                                                                 \
    {                                                                                              \
#name, SYS_##name                                                                          \
    }
    CALL(unshare),
    CALL(setns),
    CALL(mount),
    CALL(umount2),
    CALL(pivot_root),
    CALL(chroot),
    CALL(clone),
    CALL(clone3),
    CALL(execve),
    CALL(execveat),
    CALL(ptrace),
    CALL(process_vm_readv),
    CALL(process_vm_writev),
    CALL(kill),
    CALL(tkill),
    CALL(tgkill),
    CALL(pidfd_open),
    CALL(pidfd_getfd),
    CALL(pidfd_send_signal),
    CALL(openat),
    CALL(openat2),
    CALL(open_by_handle_at),
    CALL(newfstatat),
    CALL(statx),
    CALL(getdents64),
    CALL(readlinkat),
    CALL(faccessat),
    CALL(mkdirat),
    CALL(unlinkat),
    CALL(renameat2),
    CALL(linkat),
    CALL(symlinkat),
    CALL(fchmodat),
    CALL(chdir),
    CALL(io_uring_setup),
    CALL(io_uring_enter),
    CALL(bpf),
    CALL(perf_event_open),
    CALL(userfaultfd),
    CALL(memfd_create),
    CALL(keyctl),
    CALL(add_key),
    CALL(request_key),
    CALL(init_module),
    CALL(finit_module),
    CALL(kexec_load),
    CALL(personality),
    CALL(prctl),
    CALL(seccomp),
    CALL(capset),
    CALL(setuid),
    CALL(setgroups),
    CALL(setrlimit),
    CALL(setpriority),
    CALL(sched_setaffinity),
    CALL(shmget),
    CALL(semget),
    CALL(msgget),
    CALL(mq_open),
    CALL(inotify_init1),
    CALL(fanotify_init),
    CALL(socketpair),
    CALL(sendmsg),
    CALL(sendmmsg),
    CALL(dup),
    CALL(dup3),
    CALL(splice),
    CALL(vmsplice),
    CALL(sendfile),
    CALL(sethostname),
    CALL(syslog),
    CALL(reboot),
    CALL(swapon),
    CALL(clock_settime),
    CALL(adjtimex),
    CALL(landlock_create_ruleset),
};

/* Returns the index, from 1, of the first call that was allowed, or 0. */
static int try_refused(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(refused); i++)
        if (syscall(refused[i].number, 0, 0, 0, 0, 0, 0) != -1 || errno != EPERM)
            return (int)i + 1;
    return 0;
}

static void test_refused_calls(void)
{
    int status = attempt_status(confine, try_refused);
    if (status > 0 && status <= (int)G_N_ELEMENTS(refused))
        g_test_message("%s is not refused", refused[status - 1].name);
    g_assert_cmpint(status, ==, 0);
}

/* --- visibility to other processes --- */

static bool status_says(const char *status, const char *key, const char *value)
{
    g_autofree char *line = g_strdup_printf("\n%s:\t%s\n", key, value);
    return strstr(status, line) != NULL;
}

static int report_and_wait(void)
{
    char byte;
    return write(4, "x", 1) == 1 && read(4, &byte, 1) >= 0 ? 0 : 1;
}

static char *read_proc(pid_t pid, const char *name)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/%s", (int)pid, name);
    char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return text;
}

static void test_process_state(void)
{
    int pair[2];
    char byte;
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(pair[0], 4);
        _exit(berth_confine_net(4, NULL) ? report_and_wait() : 255);
    }
    close(pair[0]);
    g_assert_cmpint(read(pair[1], &byte, 1), ==, 1);

    static const char *const none[] = {"CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"};
    g_autofree char *status = read_proc(child, "status");
    g_autofree char *limits = read_proc(child, "limits");
    for (gsize i = 0; i < G_N_ELEMENTS(none); i++)
        if (strcmp(none[i], "CapBnd") != 0 || getuid() == 0)
            g_assert_true(status_says(status, none[i], "0000000000000000"));
    g_assert_true(status_says(status, "NoNewPrivs", "1"));
    g_assert_true(status_says(status, "Seccomp", "2"));
    g_assert_nonnull(strstr(limits, "Max core file size        0                    0 "));
    g_assert_nonnull(strstr(limits, "Max open files            4096                 4096 "));

    close(pair[1]); /* releases it */
    int result_status;
    g_assert_cmpint(waitpid(child, &result_status, 0), ==, child);
    g_assert_true(WIFEXITED(result_status) && WEXITSTATUS(result_status) == 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    attempts_add_tests("/net/confine", confine, attempts, G_N_ELEMENTS(attempts));
    g_test_add_func("/net/confine/refused-calls", test_refused_calls);
    g_test_add_func("/net/confine/process-state", test_process_state);
    return g_test_run();
}
