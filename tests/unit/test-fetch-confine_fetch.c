/* SPDX-License-Identifier: MIT
 *
 * A confined child attempts each forbidden action, and those that a download needs.
 */
#include "fetch/confine_fetch.h"

#include "../lib/attempts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int read_file(void)
{
    return result(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int create_file(void)
{
    return result(open("/tmp/berth-fetch-test", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
}

static int tcp_socket(void)
{
    return result(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int udp_socket(void)
{
    return result(socket(AF_INET, SOCK_DGRAM, 0));
}

static int raw_socket(void)
{
    return result(socket(AF_INET, SOCK_RAW, 1));
}

static int netlink_socket(void)
{
    return result(socket(AF_NETLINK, SOCK_DGRAM, 0));
}

static int wait_for_connections(void)
{
    return result(listen(socket(AF_INET, SOCK_STREAM, 0), 1));
}

static int give_the_kernel_a_program(void)
{
    return result(setsockopt(socket(AF_INET, SOCK_STREAM, 0), SOL_SOCKET, SO_ATTACH_FILTER, "", 0));
}

static int signal_parent(void)
{
    return result(kill(getppid(), 0));
}

static int trace_parent(void)
{
    return result(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

static int use_last_descriptor(void)
{
    return result(fcntl(4, F_GETFD));
}

static int use_descriptor_above_the_last(void)
{
    return result(fcntl(10, F_GETFD));
}

static int shorten_file(void)
{
    return result(ftruncate(4, 0));
}

static const Attempt attempts[] = {
    {"read-file", read_file, EPERM},
    {"create-file", create_file, EPERM},
    {"remove-file", remove_file, EPERM},
    {"run-program", run_program, EPERM},
    {"make-process", make_process, EPERM},
    {"make-code", make_code, EPERM},
    {"type-for-the-user", type_for_the_user, EPERM},
    {"become-another", become_another, EPERM},
    {"signal-parent", signal_parent, EPERM},
    {"trace-parent", trace_parent, EPERM},
    {"tcp-socket", tcp_socket, 0},
    {"udp-socket", udp_socket, EPERM},
    {"raw-socket", raw_socket, EPERM},
    {"unix-socket", unix_socket, EPERM},
    {"netlink-socket", netlink_socket, EPERM},
    {"wait-for-connections", wait_for_connections, EPERM},
    {"give-the-kernel-a-program", give_the_kernel_a_program, EPERM},
    {"use-last-descriptor", use_last_descriptor, 0},
    {"use-descriptor-above-the-last", use_descriptor_above_the_last, EBADF},
    {"shorten-file", shorten_file, 0},
};

static bool confine(void)
{
    FILE *file = tmpfile();
    dup2(fileno(file), 4);
    dup2(1, 10);
    return berth_fetch_confine(4, NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    attempts_add_tests("/fetch/confine", confine, attempts, G_N_ELEMENTS(attempts));
    return g_test_run();
}
