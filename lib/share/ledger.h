/* SPDX-License-Identifier: MIT
 *
 * ledger — what the guest holds of a server, in memory that outlives the server: the nodes that its
 * kernel knows by number, the files that it has open, its locks, the changes that it asked for
 * last, and the time up to which it has seen the host's changes.
 *
 * The keeper makes a memfd and gives it to each server of one guest. The server may be killed
 * between any two stores: a record becomes valid with its last store, and a node's place is one
 * word. The next server trusts nothing in it: it checks all numbers and names, and starts with an
 * empty one if any is wrong; places are resolved beneath the shares, and files compared with their
 * keys.
 *
 * Slots are those of nodes.h. The functions of nodes and those of handles may run at once; the
 * caller locks each of the two. A ledger of NULL records nothing.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

G_BEGIN_DECLS

#define BERTH_LEDGER_HANDLES 65536u
#define BERTH_LEDGER_SLOTS   4194304u
#define BERTH_LEDGER_CHANGES 1024u /* more than there can be answers in sockets' buffers */
#define BERTH_LEDGER_ACTIVE  16u   /* more than there are threads that make changes */
#define BERTH_LEDGER_RENAMES 16u   /* more than are made at once */
#define BERTH_LEDGER_LOCKS   8192u

/* Identifies a file; @birth_nsec is 0 if the file system does not record it. */
typedef struct {
    dev_t device;
    ino_t inode;
    guint64 birth_nsec;
} BerthNodeKey;

enum {
    BERTH_LEDGER_FIXED = 1,   /* as in nodes.h */
    BERTH_LEDGER_GONE = 2,    /* the same */
    BERTH_LEDGER_NAMES = 8,   /* the same: had_names */
    BERTH_LEDGER_WATCHED = 4, /* a directory: the guest caches it without a time limit */
};

typedef struct {
    BerthNodeKey key;
    const char *name;       /* a single component, within the ledger until the next change */
    guint32 parent, former; /* slots; 0: none */
    guint32 lookups;
    guint8 type;
    guint8 flags;
} BerthLedgerNode;

typedef struct {
    guint64 number; /* not 0 */
    guint64 node;   /* its id */
    guint32 flags;
} BerthLedgerHandle;

/* A change that a server has begun, and what the next one needs to find out whether it was made. */
typedef struct {
    guint64 unique;   /* of the request; not 0 */
    gint64 begun;     /* share_now(false) */
    BerthNodeKey key; /* the file that was named; all 0: none was known */
    gint64 size;      /* before it, where that tells; else 0 */
} BerthLedgerChange;

/* The names of a RENAME, which is in the list of changes too. */
typedef struct {
    guint64 unique;
    guint64 parent, new_parent; /* ids */
    guint32 swaps;
    char name[256], new_name[256];
} BerthLedgerRename;

/* A range that an owner has locked (POSIX locks). */
typedef struct {
    guint64 node; /* its id */
    guint64 owner;
    gint64 start, end; /* bytes, both within */
    guint32 type;      /* F_RDLCK or F_WRLCK */
} BerthLedgerLock;

typedef struct BerthLedger BerthLedger;

/* Map the memfd @fd, which may be closed afterwards. Nothing is read or recorded before one of the
 * two below. Errors: "share.ledger". */
BerthLedger *berth_ledger_open(int fd, GError **error);
void berth_ledger_free(BerthLedger *ledger);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthLedger, berth_ledger_free)

/* Begin an empty ledger; @offset is a multiple of 1 << 32, not 0, and below 1 << 63. */
void berth_ledger_clear(BerthLedger *ledger, guint64 offset);

/* Go on with what a former server, which has ended, left. False: there is nothing, or it is
 * damaged. */
bool berth_ledger_take_over(BerthLedger *ledger);

/* The offset of the nodes' numbers (nodes.h). */
guint64 berth_ledger_offset(const BerthLedger *ledger);

/* Nanoseconds since the epoch, by the clock of files' times; 0: none was set. */
void berth_ledger_set_time(BerthLedger *ledger, gint64 nsec);
gint64 berth_ledger_time(const BerthLedger *ledger);

/* Count one of the guest's requests, where the keeper reads it (wire/share_report.h). May be called
 * in several threads at once. */
void berth_ledger_count_request(BerthLedger *ledger);

/* ---- nodes ---- */

/* The slot after the last that was used. */
guint32 berth_ledger_end(const BerthLedger *ledger);

/* False: the slot is unused. */
bool berth_ledger_node(const BerthLedger *ledger, guint64 slot, BerthLedgerNode *ret_node);

/* The node is there once it has a place. */
void berth_ledger_add(BerthLedger *ledger, guint64 slot, const BerthNodeKey *key, guint8 flags);
void berth_ledger_remove(BerthLedger *ledger, guint64 slot);
void berth_ledger_place(BerthLedger *ledger, guint64 slot, guint64 parent, const char *name);
void berth_ledger_set_key(BerthLedger *ledger, guint64 slot, const BerthNodeKey *key);
void berth_ledger_set_former(BerthLedger *ledger, guint64 slot, guint64 former);
void berth_ledger_set_lookups(BerthLedger *ledger, guint64 slot, guint64 lookups);
void berth_ledger_set_type(BerthLedger *ledger, guint64 slot, guint8 type);
void berth_ledger_set_flag(BerthLedger *ledger, guint64 slot, guint8 flag, bool on);

/* ---- handles ---- */

/* @at is below BERTH_LEDGER_HANDLES. False: it is unused. */
bool berth_ledger_handle(const BerthLedger *ledger, guint at, BerthLedgerHandle *ret_handle);
void berth_ledger_set_handle(BerthLedger *ledger, guint at, const BerthLedgerHandle *handle);
void berth_ledger_clear_handle(BerthLedger *ledger, guint at);

/* ---- changes; in any number of threads ---- */

/* A change begins: it is kept until its end, and some time longer. Returns its place, for the end;
 * -1: there was none, and it is kept as if it had ended. */
int berth_ledger_begin_change(BerthLedger *ledger, const BerthLedgerChange *change);
void berth_ledger_end_change(BerthLedger *ledger, int place);

/* The oldest one goes. */
void berth_ledger_add_rename(BerthLedger *ledger, const BerthLedgerRename *rename);

/* All changes of a former server have ended. Before any begins. */
void berth_ledger_end_changes(BerthLedger *ledger);

/* @at is below BERTH_LEDGER_CHANGES or _RENAMES; the oldest is 0. Of changes that have ended.
 * False: there is none. Names are single components. */
bool berth_ledger_change(const BerthLedger *ledger, guint at, BerthLedgerChange *ret_change);
bool berth_ledger_rename(const BerthLedger *ledger, guint at, BerthLedgerRename *ret_rename);

/* ---- locks; the caller has a lock of its own for these ---- */

/* @at is below BERTH_LEDGER_LOCKS. False: it is unused, or damaged. */
bool berth_ledger_lock(const BerthLedger *ledger, guint at, BerthLedgerLock *ret_lock);
void berth_ledger_set_lock(BerthLedger *ledger, guint at, const BerthLedgerLock *lock);
void berth_ledger_clear_lock(BerthLedger *ledger, guint at);

G_END_DECLS
