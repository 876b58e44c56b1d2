/* SPDX-License-Identifier: MIT
 *
 * berth_port — the open ports of running distros. A part of the public interface (berth.h).
 */
#pragma once

#include "berth_handle.h"

G_BEGIN_DECLS

typedef struct {
    char *distro;
    char *protocol;    /* "tcp" or "udp" */
    guint16 port;      /* in the guest */
    guint16 host_port; /* on the host: the same, unless requested otherwise or privileged */
    char *host;        /* "8080" of localhost, "0.0.0.0:80"; NULL: the same port of localhost */
    char **addresses;  /* of the host on which it is open, as text */
    char *origin;      /* "listener", "rule" or "publish" */
    char *state;       /* "open", "blocked", "ignored" or "wanted" */
    char *owner;       /* the process in the guest, or "" */
    char *reason;      /* why it is not open, or how it deviates from the request; or NULL */
} BerthPort;

void berth_port_free(BerthPort *port);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthPort, berth_port_free)

/* The listening ports of @name (NULL: of every running distro), BerthPort *, by distro and port;
 * free with g_ptr_array_unref. Errors: also "instance.not-running". */
GPtrArray *berth_ports(Berth *berth, const char *name, GError **error);

/* Call @func with that list, now and at each change, until it returns false or all distros that ran
 * at the beginning have stopped. Errors: also "instance.not-running", "instance.lost". */
bool berth_ports_watch(Berth *berth, const char *name,
                       bool (*func)(const GPtrArray *ports, gpointer user_data), gpointer user_data,
                       GError **error);

G_END_DECLS
