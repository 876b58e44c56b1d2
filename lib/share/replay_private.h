/* SPDX-License-Identifier: MIT
 *
 * replay_private — what replay.c, which has the changes repeated one by one, and replay_answers.c,
 * which answers the requests of the repetition, share.
 */
#pragma once

#include "share_private.h"

#include "wire/replay.h"

#include <linux/fuse.h>

#define SHARE_REPLAY_PHANTOM ((guint64)1 << 63) /* nodes, of any server, are below */

static inline bool share_replay_is_phantom(guint64 id)
{
    return (id & SHARE_REPLAY_PHANTOM) != 0;
}

/* A change that the guest repeats. */
typedef struct {
    WireReplayKind kind;
    guint64 parent, new_parent; /* BERTH_NODE_NONE: the attic */
    char *name, *new_name;
    bool is_directory;
    guint64 node; /* what @name is; a node is held */
    guint tries;
    bool done;          /* the guest asked for the operation itself */
    fuse_req_t barrier; /* that its acknowledgement answers; or NULL */
    int client;         /* of an overlay, to be sent the acknowledgement; owned, or -1 */
} ReplayTask;

struct ShareReplay {
    GMutex lock;
    GQueue waiting;   /* of ReplayTask */
    ReplayTask *task; /* under way */
    guint64 sequence;
    guint64 phantom; /* the last */
};

/* Answer @request of the replay, whose body is @body; berth_message_wants_answer said yes. */
void share_replay_answer(Share *share, const struct fuse_in_header *request, const guint8 *body);
