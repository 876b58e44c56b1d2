/* SPDX-License-Identifier: MIT
 *
 * port_lists — the listening ports of running distros and their forwards, once or at each change.
 */
#pragma once

#include "handle.h"

G_BEGIN_DECLS

typedef struct {
    char *distro;
    GPtrArray *forwards; /* BerthForward *, sorted by port */
} BerthDistroPorts;

/* The ports of @name (NULL: of every running distro), BerthDistroPorts *; free with
 * g_ptr_array_unref. Errors: "distro.*", "instance.*". */
GPtrArray *berth_port_lists_read(Berth *berth, const char *name, GError **error);

/* @ports as from berth_port_lists_read, borrowed. Return false to end the watch. */
typedef bool (*BerthPortsFunc)(const GPtrArray *ports, gpointer user_data);

/* Call @func with that list, now and at each change, until it returns false or all distros that ran
 * at the beginning have stopped. Errors: also "instance.not-running", "instance.lost". */
bool berth_port_lists_follow(Berth *berth, const char *name, BerthPortsFunc func,
                             gpointer user_data, GError **error);

G_END_DECLS
