/* SPDX-License-Identifier: MIT
 *
 * port_lists — what listens in running distros and how it is forwarded, once or at each change.
 */
#pragma once

#include "handle.h"

G_BEGIN_DECLS

typedef struct {
    char *distro;
    GPtrArray *forwards; /* BerthForward *, sorted by port */
} BerthDistroPorts;

/* Of @name (NULL: of every distro that runs), BerthDistroPorts *; free with g_ptr_array_unref.
 * Errors: "distro.*", "instance.*". */
GPtrArray *berth_ports_list(Berth *berth, const char *name, GError **error);

/* @ports as berth_ports_list gives them, borrowed. False ends the watch. */
typedef bool (*BerthPortsFunc)(const GPtrArray *ports, gpointer user_data);

/* Call @func with the same, now and at each change, until it returns false or those that ran at the
 * beginning have stopped. Errors: also "instance.not-running", "instance.lost". */
bool berth_ports_follow(Berth *berth, const char *name, BerthPortsFunc func, gpointer user_data,
                        GError **error);

G_END_DECLS
