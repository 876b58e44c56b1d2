/* SPDX-License-Identifier: MIT
 *
 * carrier — carries FUSE messages between this kernel and berth-share on the host.
 *
 *     /dev/fuse  <- requests, answers, notifications ->  the port org.berth.share
 *
 * The bytes are passed on as they are. Requests and answers have a thread each. Notifications have
 * a third: the kernel may hold one up until an answer has come that is still behind it in the port.
 *
 * When the host's end closes, all requests under way fail with EIO, and `lost` is called; requests
 * wait until the host is back. Its new server is told of the kernel by the INIT of the first, whose
 * answer is dropped.
 */
#pragma once

typedef struct {
    int fuse;                 /* of /dev/fuse, mounted */
    int port;                 /* non-blocking */
    void (*lost)(void *data); /* the port is empty, and ready for another server */
    void *data;
} Carrier;

/* Carry until the file system is unmounted, or a message is malformed: 0 or -errno. */
int carrier_run(const Carrier *carrier);
