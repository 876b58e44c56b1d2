/* SPDX-License-Identifier: MIT
 *
 * held — a claimed distro whose disk is copied: it is stopped, or its keeper holds it meanwhile.
 *
 * Initialise with BERTH_HELD_INIT, or one that keeps the memory with the copy, too, if the distro
 * runs or is suspended.
 */
#pragma once

#include "handle.h"

#include "manage/hold.h"

G_BEGIN_DECLS

typedef struct {
    Berth *berth;
    const BerthDistro *distro;
    int keeper;        /* the connection that holds the distro; -1: it is stopped */
    bool is_parked;    /* without a keeper, and its memory is wanted */
    bool keeps_memory; /* these four are the caller's */
    bool for_clone;    /* the memory is for another distro, which is started at once; */
    bool isolated;     /* isolated; */
    bool borrows;      /* and can map the memory of this one */
    const BerthDistro *copy;
    char *copy_disk; /* NULL until the memory is saved */
    int lent;        /* the memory, if it can be mapped; or -1 */
    bool written;
    bool begun;
    bool released;
    bool was_awake;
    gint64 begun_usec; /* monotonic */
    BerthDiskHold hold;
} BerthHeld;

#define BERTH_HELD_INIT                                                                            \
    {                                                                                              \
        .keeper = -1, .lent = -1                                                                   \
    }

/* Connect to the keeper of @distro, which the caller has claimed and which stays the caller's.
 * Errors: of runtime.h. */
bool berth_held_connect(BerthHeld *held, Berth *berth, const BerthDistro *distro, GError **error);

/* For the functions of lib/manage; NULL: the distro is stopped. Borrowed. */
const BerthDiskHold *berth_held_disk(BerthHeld *held);
/* Whether the copy will have a memory. */
bool berth_held_has_memory(const BerthHeld *held);

/* Release the distro, if the copy did not, and wait until it goes on if it was awake.
 * *@ret_usec: for how long it did not; 0 if it was not awake. Errors: the keeper's. */
bool berth_held_end(BerthHeld *held, gint64 *ret_usec, GError **error);

/* Close the connection, which releases the distro too. */
void berth_held_clear(BerthHeld *held);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthHeld, berth_held_clear)

G_END_DECLS
