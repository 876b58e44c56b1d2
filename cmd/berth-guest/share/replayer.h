/* SPDX-License-Identifier: MIT
 *
 * replayer — a process that does on the mount what the host did with its files, so that watchers
 * see it: see wire/replay.h.
 *
 * It waits for answers that come through the carrier, so it must be a process of its own, without
 * /dev/fuse: an end of the carrier closes /dev/fuse, and that ends the wait. It ends with the
 * carrier.
 *
 * Nothing outside the mount can be reached: directories are opened name by name without following
 * links, and so are files.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct {
    pid_t pid; /* of its only thread */
    int socket;
} Replayer;

typedef struct {
    uint64_t server; /* as replayer_send was given it */
    uint64_t sequence;
    int64_t result; /* 0 or -errno */
} ReplayDone;

/* Start it for the file system mounted at @root. To be called before any other thread starts, and
 * by the thread that lives as long as the carrier. 0 or -errno. */
int replayer_start(Replayer *ret_replayer, const char *root);

/* Have it do the operation of the WireReplay in @bytes after earlier ones. False: it has ended. */
bool replayer_send(const Replayer *replayer, uint64_t server, const uint8_t *bytes, uint32_t size);

/* Wait until the next operation is done. False: it has ended. */
bool replayer_wait(const Replayer *replayer, ReplayDone *ret_done);
