/* SPDX-License-Identifier: MIT
 *
 * sockets — unix sockets of the guest, each forwarded to one in the instance's runtime directory.
 *
 * The table in sockets.c says which. A socket is its owner's alone (0600) and is there as long as
 * the keeper; who connects before the guest is up waits. A connection that finds nobody in the
 * guest is closed.
 *
 * On the thread-default GMainContext.
 */
#pragma once

#include "wire/wire.h"

#include <glib.h>

G_BEGIN_DECLS

typedef struct BerthSockets BerthSockets;

typedef struct {
    /* A new stream number. */
    guint32 (*new_stream)(gpointer user_data);
    /* Pass a frame on to the guest. */
    void (*send)(const WireFrame *frame, guint32 stream, gpointer user_data);
    /* A line for the distro's log. */
    void (*log)(const char *text, gpointer user_data);
} BerthSocketsOps;

/* Make the sockets in @dir. @ops must outlive them. Errors: errno's, "instance.start.*";
 * "instance.path". */
BerthSockets *berth_sockets_new(const char *dir, const BerthSocketsOps *ops, gpointer user_data,
                                GError **error);
/* Closes every connection and removes the sockets. */
void berth_sockets_free(BerthSockets *sockets);

/* Whether connections can be made now; those that are there stay. */
void berth_sockets_set_up(BerthSockets *sockets, bool up);

/* The guest has gone: every connection is closed. */
void berth_sockets_reset(BerthSockets *sockets);

/* Whether @frame, of the guest, was of a connection. */
bool berth_sockets_deliver(BerthSockets *sockets, const WireFrame *frame);

G_END_DECLS
