/* SPDX-License-Identifier: MIT
 *
 * A real berth-net whose control socket is in the test's hands.
 */
#include "net/control.h"

#include "base/fd.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

/* Returns the pid, and the keeper's end of the control socket. */
static GPid spawn(const char *mtu, int *ret_control)
{
    int frames[2], control[2];
    g_assert_cmpint(berth_fd_socketpair(SOCK_DGRAM, frames), ==, 0);
    g_assert_cmpint(berth_fd_socketpair(SOCK_SEQPACKET, control), ==, 0);
    const char *directory = g_getenv("BERTH_TEST_PROGRAMS");
    g_assert_nonnull(directory);
    g_autofree char *path = g_build_filename(directory, "berth-net", NULL);
    const char *argv[] = {path, mtu, NULL};
    const int to[] = {BERTH_NET_FRAMES_FD, BERTH_NET_CONTROL_FD};
    GPid pid;
    g_autoptr(GError) error = NULL;
    g_spawn_async_with_pipes_and_fds(
        NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, -1,
        -1, -1, (int[]){frames[0], control[1]}, to, 2, &pid, NULL, NULL, NULL, &error);
    g_assert_no_error(error);
    close(frames[0]);
    close(frames[1]);
    close(control[1]);
    *ret_control = control[0];
    return pid;
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
    GPid pid = spawn("1500", &control);
    close(control);
    g_assert_cmpint(exit_status(pid), ==, 0);
}

static void test_request_of_another_size_ends_it(void)
{
    int control;
    GPid pid = spawn("1500", &control);
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
    int control;
    GPid pid = spawn("1500", &control);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        BerthNetRequest request = {.id = i, .op = cases[i].op, .rule = cases[i].rule};
        BerthNetReply reply;
        g_assert_cmpint(send(control, &request, sizeof(request), 0), ==, sizeof(request));
        g_assert_cmpint(recv(control, &reply, sizeof(reply), 0), ==, sizeof(reply));
        g_assert_cmpuint(reply.id, ==, i);
        g_assert_cmpint(reply.errnum, ==, cases[i].errnum);
    }
    close(control);
    g_assert_cmpint(exit_status(pid), ==, 0);
}

static void test_unusable_arguments_are_refused(void)
{
    static const char *const unusable[] = {"", "0", "575", "65521", "99999999999", "1500x", "-1"};
    for (gsize i = 0; i < G_N_ELEMENTS(unusable); i++) {
        int control;
        GPid pid = spawn(unusable[i], &control);
        g_assert_cmpint(exit_status(pid), ==, 1);
        close(control);
    }
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
    return g_test_run();
}
