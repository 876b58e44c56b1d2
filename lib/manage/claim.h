/* SPDX-License-Identifier: MIT
 *
 * claim — a running command's hold on a distro: its name, its row, its directory and its disk.
 *
 * Importing, exporting, copying or removing a distro takes longer than a transaction should. A
 * claim is a file that the command keeps locked for its life (open file description locks, which
 * can be tested without locking). It contains the work, the process, and the files that belong to
 * the work. The next command that makes a claim cleans up after killed ones:
 *
 *   - it removes a listed file that no row of the registry names as its disk;
 *   - it removes the directory of an id that is in no row.
 *
 * So the row always decides, a dead holder never blocks, and a release does the same clean-up.
 *
 *     <data>/claims/.lock                    held while claims are made and cleared up after
 *     <data>/claims/<name in lower case>     "ID WORK PID NAME", then "INODE PATH" for each file
 *
 * Lock order, outermost first; never acquire a lock while holding one further in:
 *
 *     claims            never waited for: a held one is an error
 *     <runtime>/start   of lib/instance/client/runtime.h; waited for, held for a moment
 *     <runtime>/lock    the keeper's; waited for only when the keeper is on its way out
 *     the disk          of hold.h; waited for only when its holder is ending
 *     claims/.lock, the registry's transactions   held for a moment, nothing is waited for inside
 *
 * A command that needs a stopped distro takes the claim, then looks for a keeper while it holds
 * "start" (berth_runtime_require_stopped). A command that starts a keeper holds "start", then looks
 * for claims (berth_claim_check). Whichever is first, the other sees it: never both, and neither
 * waits for what the other holds. That is for two that have the same runtime directory and
 * registry; where they have not, the disk's own lock decides, which whoever opens a disk takes
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
    BERTH_WORK_REMOVE,
    BERTH_WORK_OTHER, /* of another version of berth */
} BerthWork;

/* "importing", "exporting", ...: the state of a distro in lists. Static. */
const char *berth_work_state(BerthWork work);

typedef struct BerthClaim BerthClaim;

/* Claim @name for the distro @id, which need not be registered yet. The strings are borrowed for
 * the call only, @layout and @registry for the life of the claim. Errors: BERTH_ERROR_BUSY,
 * "distro.busy" when another command holds the name: "debian is being exported by process 4711";
 * errno's, "claim.*". */
BerthClaim *berth_claim_id(const BerthLayout *layout, BerthRegistry *registry, const char *name,
                           const char *id, BerthWork work, GError **error);

/* Claim @name for the distro @id that is to be registered or to get this name.
 * Errors: also BERTH_ERROR_EXISTS, "registry.exists". */
BerthClaim *berth_claim_name(const BerthLayout *layout, BerthRegistry *registry, const char *name,
                             const char *id, BerthWork work, GError **error);

/* Claim the registered distro @name (NULL: the default one) and read its row, which then stays as
 * it is. Free *@ret_distro with berth_distro_free. Errors: also those of berth_registry_find. */
BerthClaim *berth_claim_distro(const BerthLayout *layout, BerthRegistry *registry, const char *name,
                               BerthWork work, BerthDistro **ret_distro, GError **error);

/* List the file @path as part of the work, before it gets this name: @fd is open on it; -1 means
 * the file that is there now, if any. At the end of the claim, also by a kill, the file is removed
 * unless a row names it as its disk. Errors: errno's, "claim.*". */
bool berth_claim_add_file(BerthClaim *claim, const char *path, int fd, GError **error);

/* End the claim: removes listed files that are no distro's disk, and the directory of an id that is
 * in no row. A failed import and a finished removal both end so. Accepts NULL. */
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

/* All claims that are held, BerthClaimHolder *; free with g_ptr_array_unref. Waits for nobody. */
GPtrArray *berth_claim_list(const BerthLayout *layout);

/* Whether nobody holds the distro @id, by whatever name. Waits for nobody.
 * Errors: BERTH_ERROR_BUSY, "distro.busy". */
bool berth_claim_check(const BerthLayout *layout, const char *id, GError **error);

G_END_DECLS
