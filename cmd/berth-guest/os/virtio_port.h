/* SPDX-License-Identifier: MIT
 *
 * virtio_port — finds and opens a virtio-serial port by its name.
 *
 * A port can be open once only. While the host's end is closed, poll reports a hang-up and a read
 * returns 0.
 */
#pragma once

/* Open port @name, non-blocking and close-on-exec; waits at most @timeout_msec for its uevent.
 * -ENOENT when there is none, or -errno. */
int port_open(const char *name, int timeout_msec);
