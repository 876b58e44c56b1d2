/* SPDX-License-Identifier: MIT */
#include "instance/keeper/guest_access.h"

#include "base/error.h"
#include "base/fd.h"
#include "instance/host/host_addresses.h"

#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static BerthMachine *machine_of(const char *text)
{
    g_autofree char *whole = g_strdup_printf("[machine]\nid=0123456789abcdef\nname=x\n%s", text);
    g_autoptr(GError) error = NULL;
    BerthMachine *machine = berth_machine_from_text(whole, &error);
    g_assert_no_error(error);
    return machine;
}

static void on_changed(gpointer user_data)
{
    ++*(guint *)user_data;
}

static bool open_now(const BerthGuestAccess *guest, guint16 port)
{
    return berth_access_host(berth_guest_access_get(guest), port) == BERTH_ACCESS_OPEN;
}

static void test_ports_of_all_origins_are_merged(void)
{
    g_autoptr(BerthMachine) machine = machine_of("host-ports=80\nhost-allowed=5432\n");
    guint changes = 0;
    g_autoptr(BerthGuestAccess) guest = berth_guest_access_new(machine, on_changed, &changes, NULL);
    g_assert_true(open_now(guest, 80) && open_now(guest, 5432) && !open_now(guest, 3128));

    g_autofree char *none = berth_guest_access_temporary(guest);
    g_assert_cmpstr(none, ==, "");
    g_assert_true(berth_guest_access_allow(guest, 3128, NULL));
    g_assert_true(berth_guest_access_allow(guest, 3128, NULL));
    g_assert_true(berth_guest_access_allow(guest, 5432, NULL)); /* already allowed */
    g_assert_cmpuint(changes, ==, 1);
    g_autofree char *one = berth_guest_access_temporary(guest);
    g_assert_cmpstr(one, ==, "3128");
    g_assert_true(open_now(guest, 3128));

    g_assert_true(berth_guest_access_set_allowed(guest, "6000", NULL));
    g_assert_cmpuint(changes, ==, 2);
    g_assert_true(open_now(guest, 80) && open_now(guest, 6000) && open_now(guest, 3128));
    g_assert_false(open_now(guest, 5432));
    g_assert_true(berth_guest_access_set_allowed(guest, "", NULL));
    g_assert_true(open_now(guest, 80) && !open_now(guest, 6000));
    g_assert_true(berth_guest_access_allow(guest, 8080, NULL));
    g_autofree char *two = berth_guest_access_temporary(guest);
    g_assert_cmpstr(two, ==, "3128,8080");
}

static void test_ping_group_range(void)
{
    g_autofree char *path = NULL;
    g_autofree char *others = g_strdup_printf("%u\t%u\n", getegid() + 100000, getegid() + 100001);
    g_autofree char *ours = g_strdup_printf("%u\t%u\n", getegid(), getegid());
    int fd = g_file_open_tmp("berth-ping-XXXXXX", &path, NULL);
    close(fd);
    const struct {
        const char *text;
        bool may;
    } cases[] = {
        {"1\t0\n", false}, {"0\t2147483647\n", true}, {others, false}, {ours, true}, {"?", true}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_true(g_file_set_contents(path, cases[i].text, -1, NULL));
        g_assert_cmpint(berth_guest_access_may_ping(path), ==, cases[i].may);
    }
    unlink(path);
    g_assert_true(berth_guest_access_may_ping(path));
}

static void test_bad_ports_change_nothing(void)
{
    g_autoptr(BerthMachine) machine = machine_of("host-allowed=5432\n");
    guint changes = 0;
    g_autoptr(GError) error = NULL;
    g_autoptr(BerthGuestAccess) guest = berth_guest_access_new(machine, on_changed, &changes, NULL);
    g_assert_false(berth_guest_access_set_allowed(guest, "5432,x", &error));
    g_assert_cmpstr(berth_error_id(error), ==, "access.port");
    g_assert_true(open_now(guest, 5432));
    g_assert_cmpuint(changes, ==, 0);
}

static void test_isolated_allows_none(void)
{
    g_autoptr(BerthMachine) machine = machine_of("host-ports=all\nisolated=true\n");
    guint changes = 0;
    g_autoptr(GError) error = NULL;
    g_autoptr(BerthGuestAccess) guest =
        berth_guest_access_new(machine, on_changed, &changes, &error);
    g_assert_no_error(error);
    g_assert_false(open_now(guest, 80));
    g_assert_false(berth_guest_access_allow(guest, 3128, &error));
    g_assert_cmpstr(berth_error_id(error), ==, "instance.isolated");
    g_autofree char *line = berth_guest_access_refused_line(guest, 80);
    g_assert_cmpstr(line, ==, "x tried port 80 of this host, but is isolated");
}

static void test_refusals_are_reported_once(void)
{
    g_autoptr(BerthMachine) machine = machine_of("");
    g_autoptr(BerthGuestAccess) guest = berth_guest_access_new(machine, on_changed, NULL, NULL);
    g_autofree char *first = berth_guest_access_refused_line(guest, 5432);
    g_autofree char *again = berth_guest_access_refused_line(guest, 5432);
    g_autofree char *other = berth_guest_access_refused_line(guest, 5433);
    g_assert_cmpstr(first, ==,
                    "x tried port 5432 of this host: allow it with \"berth host allow x 5432\"");
    g_assert_null(again);
    g_assert_nonnull(other);
    for (guint16 port = 1; port <= 62; port++) {
        g_autofree char *line = berth_guest_access_refused_line(guest, port);
        g_assert_nonnull(line);
    }
    g_assert_null(berth_guest_access_refused_line(guest, 63)); /* beyond the limit */
}

/* --- the host's addresses, in a network namespace --------------------------------------------- */

static bool give_address(const char *device, const guint8 *address)
{
    berth_autofd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {0};
    struct sockaddr_in in = {.sin_family = AF_INET};
    memcpy(&in.sin_addr, address, 4);
    g_strlcpy(request.ifr_name, device, sizeof(request.ifr_name));
    memcpy(&request.ifr_addr, &in, sizeof(in));
    if (ioctl(fd, SIOCSIFADDR, &request) < 0)
        return false;
    request.ifr_flags = IFF_UP;
    return ioctl(fd, SIOCSIFFLAGS, &request) == 0;
}

static const guint8 first_address[4] = {192, 0, 2, 1}, second_address[4] = {198, 51, 100, 9};

static bool closed_now(const BerthGuestAccess *guest, const guint8 *address)
{
    return berth_access_outside(berth_guest_access_get(guest), 4, address, 80) ==
           BERTH_ACCESS_REFUSED;
}

/* 0: passed; 77: not possible here; otherwise the failed step. */
static int follow_addresses(void)
{
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 || !give_address("lo", first_address))
        return 77;
    guint changes = 0;
    g_autoptr(BerthMachine) machine = machine_of("isolated=true\n");
    BerthGuestAccess *guest = berth_guest_access_new(machine, on_changed, &changes, NULL);
    if (guest == NULL)
        return 1;
    if (!closed_now(guest, first_address) || closed_now(guest, second_address))
        return 2;
    if (!give_address("lo:1", second_address))
        return 77;
    while (changes == 0)
        g_main_context_iteration(NULL, TRUE);
    if (!closed_now(guest, first_address) || !closed_now(guest, second_address))
        return 3;
    berth_guest_access_free(guest);
    return 0;
}

static void test_host_addresses_are_followed(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(follow_addresses());
    int status;
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        g_test_skip("no network namespaces here");
    else
        g_assert_cmpint(WEXITSTATUS(status), ==, 0);
}

/* It must include the address of every socket of this host. */
static void test_own_address_of_the_host(void)
{
    BerthAccess access = {.known = 1, .isolated = 1};
    g_assert_true(berth_host_addresses_put(&access));
    berth_autofd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9)};
    address.sin_addr.s_addr = htonl(0x08080808);
    socklen_t size = sizeof(address);
    if (connect(fd, (struct sockaddr *)&address, size) < 0) {
        g_test_skip("no route out of here");
        return;
    }
    g_assert_cmpint(getsockname(fd, (struct sockaddr *)&address, &size), ==, 0);
    g_assert_cmpint(berth_access_outside(&access, 4, (const guint8 *)&address.sin_addr, 80), ==,
                    BERTH_ACCESS_REFUSED);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/instance/guest_access/ports-of-all-origins-are-merged",
                    test_ports_of_all_origins_are_merged);
    g_test_add_func("/instance/guest_access/ping-group-range", test_ping_group_range);
    g_test_add_func("/instance/guest_access/bad-ports-change-nothing",
                    test_bad_ports_change_nothing);
    g_test_add_func("/instance/guest_access/isolated-allows-none", test_isolated_allows_none);
    g_test_add_func("/instance/guest_access/refusals-are-reported-once",
                    test_refusals_are_reported_once);
    g_test_add_func("/instance/guest_access/host-addresses-are-followed",
                    test_host_addresses_are_followed);
    g_test_add_func("/instance/guest_access/own-address-of-the-host", test_own_address_of_the_host);
    return g_test_run();
}
