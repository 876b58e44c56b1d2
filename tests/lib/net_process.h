/* SPDX-License-Identifier: MIT
 *
 * net_process — a real berth-net whose guest has unrestricted access.
 */
#pragma once

#include "net/client.h"

static inline BerthNet *start_net(int frames_fd, guint mtu)
{
    static const BerthNetEvents events = {0};
    const BerthNetSetup setup = {.mtu = mtu, .prefix6 = {0xfd, 1, 2, 3, 4, 5}};
    const BerthAccess access = {.known = 1};
    g_autofree char *path = g_build_filename(g_getenv("BERTH_TEST_PROGRAMS"), "berth-net", NULL);
    g_autoptr(GError) error = NULL;
    BerthNet *net = berth_net_new(path, frames_fd, &setup, &events, NULL, &error);
    g_assert_no_error(error);
    berth_net_set_access(net, &access);
    return net;
}

static inline void on_net_counters(int errnum, const BerthStackCounters *counters,
                                   gpointer user_data)
{
    *(int *)user_data = errnum;
}

/* A barrier: wait until earlier requests are done. */
static inline void settle_net(BerthNet *net)
{
    int result = -1;
    berth_net_get_counters(net, on_net_counters, &result);
    while (result < 0)
        g_main_context_iteration(NULL, TRUE);
}
