/* SPDX-License-Identifier: MIT
 *
 * mount — the stream between the two ends of `berth mount`, which the guest's file server and the
 * host's carrier share.
 *
 * The host sends the requests of its kernel as they are (struct fuse_in_header first,
 * linux/fuse.h), but never INIT, which it answers itself, and never INTERRUPT. The guest sends
 * answers (struct fuse_out_header first) in any order, after one without a body that has
 * WIRE_MOUNT_HELLO as its unique and minus WIRE_MOUNT_VERSION as its error. It sends no
 * notifications.
 */
#pragma once

#include <stdint.h>

#define WIRE_MOUNT_VERSION 1
#define WIRE_MOUNT_HELLO   UINT64_MAX
#define WIRE_MOUNT_MINOR   36u      /* of FUSE's protocol, 7.36 */
#define WIRE_MOUNT_DATA    1048576u /* bytes of file data in a message, at most */
#define WIRE_MOUNT_MESSAGE (WIRE_MOUNT_DATA + 8192u)

/* An extended attribute of a mount's root on the host: the id of its distro. The host's carrier
 * answers it, so that it asks the guest nothing. */
#define WIRE_MOUNT_DISTRO "user.berth.distro"
