/* SPDX-License-Identifier: MIT
 *
 * berth-net — the network of one instance, started by its keeper as `berth-net MTU` with the
 * descriptors of lib/net/control.h. Ends when the keeper closes the control socket.
 */
#include "net/control.h"
#include "net/lock.h"
#include "net/serve.h"
#include "net/stack.h"

#include <stdio.h>
#include <string.h>

static int fail(const char *text)
{
    fprintf(stderr, "berth-net: %s\n", text);
    return 1;
}

int main(int argc, char **argv)
{
    guint64 mtu = 0;
    if (argc != 2 || !g_ascii_string_to_unsigned(argv[1], 10, 0, G_MAXUINT, &mtu, NULL))
        return fail("usage: berth-net MTU (started by berth-keeper)");

    g_autoptr(GError) error = NULL;
    g_autoptr(BerthStack) stack = berth_stack_new(BERTH_NET_FRAMES_FD, (guint)mtu, &error);
    if (stack == NULL || !berth_lock_in(BERTH_NET_CONTROL_FD, &error))
        return fail(error->message);

    int errnum = berth_stack_run(stack, BERTH_NET_CONTROL_FD, berth_serve, NULL);
    return errnum == 0 ? 0 : fail(strerror(errnum));
}
