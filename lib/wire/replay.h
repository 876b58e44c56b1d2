/* SPDX-License-Identifier: MIT
 *
 * replay — how berth-share lets the guest's carrier repeat a change of the host on the mount, so
 * that watchers in the guest see it (inotify).
 *
 *     host -> guest   fuse_out_header {unique 0, error WIRE_REPLAY_CODE}, WireReplay,
 *                     four strings: directory, name, new directory, new name
 *     guest -> host   fuse_in_header {opcode WIRE_REPLAY_ACK, unique: the sequence,
 *                     nodeid: errno or 0}
 *
 * FUSE has no such messages; its notify codes are below 100. Directories are paths from the mount's
 * root. A process of the carrier's does the operation, and the carrier replaces the pid in that
 * process's requests with WIRE_REPLAY_PID. The host answers a request with that pid without
 * touching a file, whatever it asks for: a replay never changes the host, even after either end was
 * replaced.
 *
 * The carrier also marks the INIT that it sends to the next server: its pid is WIRE_REPLAY_INIT_PID
 * if the kernel has had another server since the mount. That server's nodes and open files are the
 * kernel's still.
 */
#pragma once

#include <stdint.h>

#define WIRE_REPLAY_CODE     0x6272
#define WIRE_REPLAY_ACK      0x62720001u
#define WIRE_REPLAY_PID      UINT32_MAX
#define WIRE_REPLAY_INIT_PID UINT32_MAX
#define WIRE_REPLAY_NAMES    4u

/* A directory that only replays see: files that come from, or go, where nobody watches. */
#define WIRE_REPLAY_ATTIC ".berth-replay"

typedef enum {
    WIRE_REPLAY_CREATE = 1,
    WIRE_REPLAY_CREATE_DIRECTORY,
    WIRE_REPLAY_DELETE,
    WIRE_REPLAY_DELETE_DIRECTORY,
    WIRE_REPLAY_ATTRIBUTES,
    WIRE_REPLAY_MODIFY,
    WIRE_REPLAY_CLOSE, /* of a file that was open for writing */
    WIRE_REPLAY_MOVE,
    WIRE_REPLAY_LOST, /* events were lost: no operation, one line in the log */
    WIRE_REPLAY_NONE, /* no operation: acknowledged once all notifications before it are handled */
} WireReplayKind;

typedef struct {
    uint64_t sequence;
    uint32_t kind;
    uint32_t zero;
} WireReplay;
