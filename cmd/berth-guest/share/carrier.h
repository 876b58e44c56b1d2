/* SPDX-License-Identifier: MIT
 *
 * carrier — carries FUSE messages between this kernel and berth-share on the host.
 *
 *     /dev/fuse  <- requests, answers, notifications ->  the port org.berth.share
 *
 * Messages are passed on unchanged. Requests and replies have a thread each. Notifications have a
 * third one: the kernel may block in a notification until a reply arrives that is still behind it
 * in the port. The server's replays are for a process of their own (replayer.h).
 *
 * When the host's end closes, `lost` is called, and requests wait for the next server. It gets the
 * INIT that the first one got, whose reply is dropped, and then the requests in flight that may be
 * asked twice (under_way.h), in a thread of their own: their replies must be read meanwhile. Other
 * requests in flight fail with EIO.
 *
 * A suspend of the machine ends the server too. So the agent may have the carrier hold all requests
 * before it, and wait for those that would fail (carrier_link.h).
 */
#pragma once

typedef struct {
    int fuse;                    /* of /dev/fuse, mounted */
    int port;                    /* non-blocking */
    int agent;                   /* of carrier_link.h, or -1 */
    const char *root;            /* where it is mounted */
    void (*mounted)(void *data); /* INIT was answered, or NULL */
    void (*lost)(void *data);    /* the port is drained and ready for another server */
    void (*found)(void *data);   /* a server has connected, and was sent nothing yet; or NULL */
    void *data;
} Carrier;

/* Carry until a message is malformed or the replay process has ended; unmount, and return -errno.
 * When another unmounts the file system, the process ends. */
int carrier_run(const Carrier *carrier);
