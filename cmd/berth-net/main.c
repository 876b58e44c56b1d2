/* SPDX-License-Identifier: MIT
 *
 * berth-net — the network of one instance, started by its keeper as
 * `berth-net MTU PREFIX [owner-only]` with the descriptors of lib/net/client.h. PREFIX is that of
 * its IPv6 addresses, as an address whose last half is zero. Ends when the keeper closes the
 * control socket.
 */
#include "net/client.h"
#include "net/confine_net.h"
#include "net/owner.h"
#include "net/serve.h"
#include "net/stack.h"

#include <arpa/inet.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static int fail(const char *text)
{
    fprintf(stderr, "berth-net: %s\n", text);
    return 1;
}

static bool read_arguments(int argc, char **argv, BerthStackSetup *setup)
{
    static const guint8 none[8];
    guint64 mtu = 0;
    setup->owner_only = argc == 4 && strcmp(argv[3], "owner-only") == 0;
    if (argc != (setup->owner_only ? 4 : 3) ||
        !g_ascii_string_to_unsigned(argv[1], 10, 0, G_MAXUINT, &mtu, NULL) ||
        inet_pton(AF_INET6, argv[2], setup->prefix6) != 1 ||
        memcmp(setup->prefix6 + sizeof(none), none, sizeof(none)) != 0)
        return false;
    setup->mtu = (guint)mtu;
    return true;
}

/* Make malloc return a connection's buffers, 128 KiB each, to the system when freed. By default it
 * raises its threshold to their size and keeps them. */
static void keep_small(void)
{
    mallopt(M_MMAP_THRESHOLD, 64 * 1024);
    mallopt(M_TRIM_THRESHOLD, 256 * 1024);
}

int main(int argc, char **argv)
{
    BerthStackSetup setup = {.frames_fd = BERTH_NET_FRAMES_FD,
                             .on_refused = berth_serve_refused,
                             .user_data = GINT_TO_POINTER(BERTH_NET_CONTROL_FD)};
    if (!read_arguments(argc, argv, &setup))
        return fail("usage: berth-net MTU PREFIX [owner-only] (started by berth-keeper)");
    /* The kernel would name it after the descriptor that it was executed from. */
    prctl(PR_SET_NAME, "berth-net");
    signal(SIGPIPE, SIG_IGN); /* libslirp may write to a closed connection */
    signal(SIGTERM,
           SIG_IGN); /* as of the end of a session: the keeper needs it to park the guest */

    keep_small();
    close_range(BERTH_NET_CONTROL_FD + 1, ~0u, 0); /* higher descriptors are then our own */
    int last_fd = BERTH_NET_CONTROL_FD;
    if (setup.owner_only && (last_fd = setup.diag_fd = berth_owner_open()) < 0)
        return fail("cannot ask the kernel for owners of connections");

    g_autoptr(GError) error = NULL;
    g_autoptr(BerthStack) stack = berth_stack_new(&setup, &error);
    if (stack == NULL ||
        !berth_confine_net(MAX(last_fd, berth_dns_last_fd(berth_stack_dns(stack))), &error))
        return fail(error->message);

    int errnum = berth_stack_run(stack, BERTH_NET_CONTROL_FD, berth_serve, NULL);
    return errnum == 0 ? 0 : fail(strerror(errnum));
}
