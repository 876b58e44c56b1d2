/* SPDX-License-Identifier: MIT
 *
 * claim — a running command's exclusive claim on a distro: its name, its row, its directory and its
 * disk.
 *
 * Importing, exporting, copying and removing take longer than a database transaction should. A
 * claim is a file that the command keeps locked for its lifetime (open file description locks,
 * which can be tested without locking). It contains the work, the process, and the files that
 * belong to the work. The next command that makes a claim cleans up after killed ones:
 *
 *   - it removes a listed file that no row of the registry names as its disk or snapshot, and the
 *     row of a snapshot that is the disk itself (restore.h);
 *   - it removes the directory of an id that is in no row.
 *
 * So the row always decides, a dead holder never blocks, and a release does the same clean-up.
 *
 *     <data>/claims/.lock                    held while claims are made and cleaned up
 *     <data>/claims/<name in lower case>     "ID WORK PID NAME", then "INODE PATH" for each file
 *
 * Lock order, outermost first; never acquire a lock while holding one further in:
 *
 *     claims            never waited for: a held one is an error, but for that of a checkpoint,
 *                       which holds no other lock that a claim's maker may have
 *     <runtime>/start   of lib/instance/client/runtime.h; waited for, held briefly
 *     <runtime>/lock    the keeper's; waited for only while the keeper is ending
 *     the disk          of hold.h; waited for only while its holder is ending
 *     claims/.lock, the registry's transactions   held briefly, never while waiting
 *
 * A command that needs a stopped distro makes the claim, then looks for a keeper while it holds
 * "start" (berth_runtime_require_stopped). A command that starts a keeper holds "start", then looks
 * for claims (berth_claim_check). So at least one of two concurrent commands sees the other, and
 * neither waits for a lock that the other holds. This requires the same runtime directory and
 * registry; otherwise the disk's lock, which every process that opens a disk acquires, decides
 * (hold.h).
 */
#pragma once

#include "store/layout.h"
#include "store/registry.h"

#include <sys/types.h>

G_BEGIN_DECLS

typedef enum {
    BERTH_WORK_IMPORT,
    BERTH_WORK_EXPORT,
    BERTH_WORK_CLONE,
    BERTH_WORK_RENAME,
    BERTH_WORK_MOVE,
    BERTH_WORK_RESIZE,
    BERTH_WORK_COMPACT,
    BERTH_WORK_SNAPSHOT,
    BERTH_WORK_CHECKPOINT, /* a snapshot that nobody asked for: other claims wait for its end */
    BERTH_WORK_RESTORE,
    BERTH_WORK_DIFF,
    BERTH_WORK_REMOVE,
    BERTH_WORK_RUN,   /* a command in a throw-away clone, for all of the clone's life */
    BERTH_WORK_OTHER, /* of another version of berth */
} BerthWork;

/* "importing", "exporting", ...: the state of a distro in lists. Static. */
const char *berth_work_state(BerthWork work);

typedef struct BerthClaim BerthClaim;

/* Claim @name for the distro @id, which may not be registered yet. The strings are borrowed for the
 * call only, @layout and @registry for the lifetime of the claim. Errors: BERTH_ERROR_BUSY,
 * "distro.busy" if another command holds the name: "debian is being exported by process 4711";
 * errno's, "claim.*". */
BerthClaim *berth_claim_id(const BerthLayout *layout, BerthRegistry *registry, const char *name,
                           const char *id, BerthWork work, GError **error);

/* Claim @name for the distro @id, which will be registered under it or renamed to it. Errors: also
 * BERTH_ERROR_EXISTS, "registry.exists". */
BerthClaim *berth_claim_name(const BerthLayout *layout, BerthRegistry *registry, const char *name,
                             const char *id, BerthWork work, GError **error);

/* Claim the registered distro @name (NULL: the default one) and read its row, which cannot change
 * while the claim is held. Free *@ret_distro with berth_distro_free. Errors: also those of
 * berth_registry_find. */
BerthClaim *berth_claim_distro(const BerthLayout *layout, BerthRegistry *registry, const char *name,
                               BerthWork work, BerthDistro **ret_distro, GError **error);

/* Add the file @path to the claim, before the work gives it this name: @fd is open on it; -1 means
 * the existing file, if any. When the claim ends, also by a kill, the file is removed unless a row
 * names it as its disk or snapshot. Errors: errno's, "claim.*". */
bool berth_claim_add_file(BerthClaim *claim, const char *path, int fd, GError **error);

/* End the claim: removes listed files that are not a distro's disk or snapshot, and the directory
 * of an id without a row. So it cleans up after a failed import and completes a removal. NULL is
 * allowed. */
void berth_claim_release(BerthClaim *claim);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthClaim, berth_claim_release)

/* A held claim. */
typedef struct {
    char *id;
    char *name; /* as the holder wrote it */
    BerthWork work;
    pid_t pid;
} BerthClaimHolder;

void berth_claim_holder_free(BerthClaimHolder *holder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthClaimHolder, berth_claim_holder_free)

/* All held claims, BerthClaimHolder *; free with g_ptr_array_unref. Does not wait for locks. */
GPtrArray *berth_claim_list(const BerthLayout *layout);

/* Check that no command holds a claim on the distro @id under any name, other than this process for
 * BERTH_WORK_RUN, which is the start of its own clone. Does not wait for locks.
 * Errors: BERTH_ERROR_BUSY, "distro.busy". */
bool berth_claim_check(const BerthLayout *layout, const char *id, GError **error);

G_END_DECLS
