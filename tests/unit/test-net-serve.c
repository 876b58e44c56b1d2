/* SPDX-License-Identifier: MIT
 *
 * A real berth-net; the test holds its control socket.
 */
#include "net/client.h"

#include "base/fd.h"
#include "../lib/packets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PREFIX "fd00:1:2::"

/* Returns the pid and the other ends of its control and frame sockets. */
static GPid spawn_with_guest(const char *mtu, const char *prefix, int *ret_control, int *ret_guest)
{
    int frames[2], control[2];
    g_assert_cmpint(berth_fd_socketpair(SOCK_DGRAM, frames), ==, 0);
    g_assert_cmpint(berth_fd_socketpair(SOCK_SEQPACKET, control), ==, 0);
    const char *directory = g_getenv("BERTH_TEST_PROGRAMS");
    g_assert_nonnull(directory);
    g_autofree char *path = g_build_filename(directory, "berth-net", NULL);
    const char *argv[] = {path, mtu, prefix, NULL};
    const int to[] = {BERTH_NET_FRAMES_FD, BERTH_NET_CONTROL_FD};
    GPid pid;
    g_autoptr(GError) error = NULL;
    g_spawn_async_with_pipes_and_fds(
        NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, -1,
        -1, -1, (int[]){frames[0], control[1]}, to, 2, &pid, NULL, NULL, NULL, &error);
    g_assert_no_error(error);
    close(frames[0]);
    close(control[1]);
    *ret_control = control[0];
    *ret_guest = frames[1];
    return pid;
}

static GPid spawn(const char *mtu, const char *prefix, int *ret_control)
{
    int guest;
    GPid pid = spawn_with_guest(mtu, prefix, ret_control, &guest);
    close(guest);
    return pid;
}

static BerthNetReply ask(int control, const BerthNetRequest *request)
{
    BerthNetReply reply;
    g_assert_cmpint(send(control, request, sizeof(*request), 0), ==, sizeof(*request));
    g_assert_cmpint(recv(control, &reply, sizeof(reply), 0), ==, sizeof(reply));
    g_assert_cmpuint(reply.id, ==, request->id);
    return reply;
}

static int exit_status(GPid pid)
{
    int status;
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_ends_with_its_keeper(void)
{
    int control;
    GPid pid = spawn("1500", PREFIX, &control);
    close(control);
    g_assert_cmpint(exit_status(pid), ==, 0);
}

static void test_request_of_another_size_ends_it(void)
{
    int control;
    GPid pid = spawn("1500", PREFIX, &control);
    g_assert_cmpint(send(control, "?", 1, 0), ==, 1);
    g_assert_cmpint(exit_status(pid), ==, 0);
    close(control);
}

static void test_unusable_requests_are_refused(void)
{
    static const BerthEndpoint good = {.family = 4, .port = 30000, .address = {127, 0, 0, 1}};
    static const BerthEndpoint v6 = {.family = 6, .port = 30000, .address = {[15] = 1}};
    static const BerthEndpoint no_port = {.family = 4, .address = {127, 0, 0, 1}};
    static const BerthEndpoint anywhere = {.family = 4, .port = 30000};
    static const BerthEndpoint no_family = {.family = 1, .port = 30000, .address = {127, 0, 0, 1}};
    const struct {
        guint32 op;
        BerthStackRule rule;
        int errnum;
    } cases[] = {
        {99, {BERTH_TCP, {0}, good, good}, ENOSYS},
        {BERTH_NET_ADD, {1, {0}, good, good}, EINVAL},
        {BERTH_NET_ADD, {BERTH_TCP, {0}, no_port, good}, EINVAL},
        {BERTH_NET_ADD, {BERTH_TCP, {0}, good, no_port}, EINVAL},
        {BERTH_NET_ADD, {BERTH_TCP, {0}, no_family, good}, EINVAL},
        {BERTH_NET_ADD, {BERTH_TCP, {0}, good, v6}, EINVAL},
        {BERTH_NET_ADD, {BERTH_TCP, {0}, good, anywhere}, EINVAL},
        {BERTH_NET_REMOVE, {BERTH_TCP, {0}, good, good}, ENOENT},
    };
    BerthNetRequest unending = {.op = BERTH_NET_NAME, .entry = {.slot = 1}};
    BerthNetRequest nobody = {.op = BERTH_NET_NAME, .entry = {.slot = 255, .name = "a"}};
    BerthNetRequest many = {.op = BERTH_NET_RESOLVERS, .resolvers.count = BERTH_RESOLVERS_MAX + 1};
    memset(unending.entry.name, 'a', sizeof(unending.entry.name));
    const BerthNetRequest others[] = {unending, nobody, many};

    int control;
    GPid pid = spawn("1500", PREFIX, &control);
    for (guint i = 0; i < G_N_ELEMENTS(others); i++)
        g_assert_cmpint(ask(control, &others[i]).errnum, ==, EINVAL);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        BerthNetRequest request = {.id = i, .op = cases[i].op, .rule = cases[i].rule};
        g_assert_cmpint(ask(control, &request).errnum, ==, cases[i].errnum);
    }
    close(control);
    g_assert_cmpint(exit_status(pid), ==, 0);
}

static void test_unusable_arguments_are_refused(void)
{
    static const struct {
        const char *mtu, *prefix;
    } unusable[] = {
        {"", PREFIX},   {"0", PREFIX},      {"575", PREFIX}, {"65521", PREFIX},
        {"-1", PREFIX}, {"1500x", PREFIX},  {"1500", NULL},  {"99999999999", PREFIX},
        {"1500", "fd"}, {"1500", "fd::15"}, {"1500", ""},    {"1500", "10.0.2.0"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(unusable); i++) {
        int control;
        GPid pid = spawn(unusable[i].mtu, unusable[i].prefix, &control);
        g_assert_cmpint(exit_status(pid), ==, 1);
        close(control);
    }
}

/* --- IPv6 ------------------------------------------------------------------------------------- */

static const guint8 guest_address[16] = {0xfd, 0, 0, 1, 0, 2, [15] = 0x15};
static const guint8 host_address[16] = {0xfd, 0, 0, 1, 0, 2, [15] = 2};

/* The next IPv6 frame to the guest. */
static void receive_v6(int guest, guint8 *frame, gsize size)
{
    struct pollfd entry = {.fd = guest, .events = POLLIN};
    do {
        g_assert_cmpint(poll(&entry, 1, 10000), ==, 1);
        g_assert_cmpint(recv(guest, frame, size, 0), >, 0);
    } while (get_u16(frame + 12) != 0x86dd);
}

static void answer_neighbour(int guest, const guint8 *question)
{
    static const guint8 station[6] = {0x52, 0x54, 0, 1, 2, 3};
    guint8 frame[14 + 40 + 32] = {0};
    guint8 *ip = frame + 14, *icmp = ip + 40;
    memcpy(frame, question + 6, 6);
    memcpy(frame + 6, station, 6);
    put_u16(frame + 12, 0x86dd);
    ip[0] = 0x60;
    put_u16(ip + 4, 32);
    ip[6] = IPPROTO_ICMPV6;
    ip[7] = 255;
    memcpy(ip + 8, guest_address, 16);
    memcpy(ip + 24, question + 22, 16);
    icmp[0] = 136;
    icmp[4] = 0x60; /* solicited, override */
    memcpy(icmp + 8, guest_address, 16);
    icmp[24] = 2; /* the sender's station */
    icmp[25] = 1;
    memcpy(icmp + 26, station, 6);
    put_u16(icmp + 2, fold(sum(sum(32 + IPPROTO_ICMPV6, ip + 8, 32), icmp, 32)));
    g_assert_cmpint(send(guest, frame, sizeof(frame), 0), ==, sizeof(frame));
}

static int connect_v6(guint16 port)
{
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 address = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback};
    g_assert_cmpint(connect(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    return fd;
}

static void test_forward_of_ipv6_reaches_the_guest(void)
{
    const guint16 port = 28765;
    BerthNetRequest request = {
        .id = 1,
        .op = BERTH_NET_ADD,
        .rule = {.protocol = BERTH_TCP,
                 .host = {.family = 6, .port = port, .address = {[15] = 1}},
                 .guest = {.family = 6, .port = 80}},
    };
    memcpy(request.rule.guest.address, guest_address, 16);
    int control, guest;
    GPid pid = spawn_with_guest("1500", PREFIX, &control, &guest);
    g_assert_cmpint(ask(control, &request).errnum, ==, 0);
    int client = connect_v6(port);

    guint8 frame[2000];
    receive_v6(guest, frame, sizeof(frame));
    g_assert_cmpuint(frame[20], ==, IPPROTO_ICMPV6);
    g_assert_cmpuint(frame[54], ==, 135);
    answer_neighbour(guest, frame);
    receive_v6(guest, frame, sizeof(frame));
    g_assert_cmpuint(frame[20], ==, IPPROTO_TCP);
    g_assert_cmpmem(frame + 22, 16, host_address, 16);
    g_assert_cmpmem(frame + 38, 16, guest_address, 16);
    g_assert_cmpuint(get_u16(frame + 56), ==, 80);

    close(client);
    close(control);
    close(guest);
    g_assert_cmpint(exit_status(pid), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/serve/ends-with-its-keeper", test_ends_with_its_keeper);
    g_test_add_func("/net/serve/request-of-another-size-ends-it",
                    test_request_of_another_size_ends_it);
    g_test_add_func("/net/serve/unusable-requests-are-refused", test_unusable_requests_are_refused);
    g_test_add_func("/net/serve/unusable-arguments-are-refused",
                    test_unusable_arguments_are_refused);
    g_test_add_func("/net/serve/forward-of-ipv6-reaches-the-guest",
                    test_forward_of_ipv6_reaches_the_guest);
    return g_test_run();
}
