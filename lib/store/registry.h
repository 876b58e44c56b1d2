/* SPDX-License-Identifier: MIT
 *
 * registry — the distros in SQLite: a row per distro and per forward, no running state.
 *
 * Any number of processes may use it at once: every change is one transaction of the write-ahead
 * log, and a process waits for another one for at most BUSY_TIMEOUT_MSEC (registry_file.c). Opening
 * the registry migrates the schema.
 *
 * Errors of every function:
 *   BERTH_ERROR_BUSY      "registry.busy"      another process held it too long
 *   BERTH_ERROR_NO_SPACE  "registry.no-space"
 *   BERTH_ERROR_DENIED    "registry.denied"
 *   BERTH_ERROR_INVALID   "registry.corrupt"   the file is not a registry (any more); never touched
 *   BERTH_ERROR_INVALID   "registry.newer"     a newer berth wrote it
 *   BERTH_ERROR_FAILED    "registry.failed"
 *
 * Names are compared without case. A BerthRegistry belongs to one thread.
 */
#pragma once

#include "model/distro.h"
#include "model/rule.h"
#include "model/share.h"
#include "model/snapshot.h"

G_BEGIN_DECLS

typedef struct BerthRegistry BerthRegistry;

/* Open the registry at @path, whose directory must exist; creates the file if needed. */
BerthRegistry *berth_registry_open(const char *path, GError **error);

/* A registry without distros, for places where none can be created: writes fail with
 * "registry.denied" as for a file at @path, which is not opened. */
BerthRegistry *berth_registry_open_empty(const char *path, GError **error);

/* Open the existing registry at @path to look at it: nothing is written, not even by SQLite, and an
 * older schema is not migrated. Errors: also BERTH_ERROR_INVALID, "registry.older". */
BerthRegistry *berth_registry_open_to_look(const char *path, GError **error);

/* Check the whole file (PRAGMA integrity_check). Errors: "registry.corrupt" with the first fault.
 */
bool berth_registry_check(BerthRegistry *registry, GError **error);

void berth_registry_close(BerthRegistry *registry);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthRegistry, berth_registry_close)

/* Add @distro. The first one that is no throw-away clone becomes the default, and its slot is the
 * smallest free one; is_default and slot are ignored. Errors: also BERTH_ERROR_EXISTS,
 * "registry.exists". */
bool berth_registry_insert(BerthRegistry *registry, const BerthDistro *distro, GError **error);

/* Find the distro @name; NULL: the default one, or the only one. Errors: also
 * BERTH_ERROR_NOT_FOUND, "distro.not-found", "distro.no-default", "distro.none". */
BerthDistro *berth_registry_find(BerthRegistry *registry, const char *name, GError **error);

/* Whether there is a distro with this id; false also with @error set. */
bool berth_registry_has_id(BerthRegistry *registry, const char *id, GError **error);

/* Find the distro by id. Errors: also BERTH_ERROR_NOT_FOUND, "distro.not-found". */
BerthDistro *berth_registry_find_by_id(BerthRegistry *registry, const char *id, GError **error);

/* Whether the file @path is the disk of some distro, or one of its snapshots; false also with
 * @error set. */
bool berth_registry_has_file(BerthRegistry *registry, const char *path, GError **error);

/* The throw-away clones, BerthDistro *. Free with g_ptr_array_unref. */
GPtrArray *berth_registry_list_clones(BerthRegistry *registry, GError **error);

/* All distros, BerthDistro *, the default first, then by name. Free with g_ptr_array_unref. */
GPtrArray *berth_registry_list(BerthRegistry *registry, GError **error);

/* Errors of these: also BERTH_ERROR_NOT_FOUND, "distro.not-found". Removing the default leaves
 * none. */
bool berth_registry_remove(BerthRegistry *registry, const char *name, GError **error);
bool berth_registry_set_default(BerthRegistry *registry, const char *name, GError **error);

/* Errors: also BERTH_ERROR_EXISTS, "registry.exists"; BERTH_ERROR_INVALID, "name.invalid". */
bool berth_registry_rename(BerthRegistry *registry, const char *name, const char *new_name,
                           GError **error);

/* Write the disk and its size into the row with @distro's id.
 * Errors: also BERTH_ERROR_NOT_FOUND, "distro.not-found". */
bool berth_registry_set_disk(BerthRegistry *registry, const BerthDistro *distro, GError **error);

/* Add the forward @rule to @distro. Errors: also BERTH_ERROR_EXISTS, "forward.exists" if it already
 * has one of that host port; BERTH_ERROR_NOT_FOUND, "distro.not-found". */
bool berth_registry_add_forward(BerthRegistry *registry, const BerthDistro *distro,
                                const BerthRule *rule, GError **error);
/* Errors: also BERTH_ERROR_NOT_FOUND, "forward.not-found". */
bool berth_registry_remove_forward(BerthRegistry *registry, const BerthDistro *distro,
                                   const BerthRule *rule, GError **error);

/* --- host ports that a distro may reach --- */

#define BERTH_REGISTRY_ALL_PORTS 0 /* stands for every port */

/* Idempotent. */
bool berth_registry_allow_port(BerthRegistry *registry, const BerthDistro *distro, guint port,
                               GError **error);

/* Errors: BERTH_ERROR_NOT_FOUND, "host.not-allowed". */
bool berth_registry_deny_port(BerthRegistry *registry, const BerthDistro *distro, guint port,
                              GError **error);
bool berth_registry_deny_all(BerthRegistry *registry, const BerthDistro *distro, GError **error);

/* The allowed ports in the syntax of model/access.h; "" if none. Free with g_free. */
char *berth_registry_host_ports(BerthRegistry *registry, const BerthDistro *distro, GError **error);

/* --- directories of the host that a distro sees --- */

/* Add @share to @distro. Errors: also BERTH_ERROR_EXISTS, "share.exists" if the distro has a share
 * of that target, "share.nested" if one target is below the other; BERTH_ERROR_NOT_FOUND,
 * "distro.not-found". */
bool berth_registry_add_share(BerthRegistry *registry, const BerthDistro *distro,
                              const BerthShare *share, GError **error);

/* Errors: also BERTH_ERROR_NOT_FOUND, "share.not-found". */
bool berth_registry_remove_share(BerthRegistry *registry, const BerthDistro *distro,
                                 const char *target, GError **error);

/* Change @share, a row as it is now: its read_only, overlay and quota are stored. False with @error:
 * nothing is. */
typedef bool (*BerthShareEditor)(BerthShare *share, gpointer user_data, GError **error);

/* Have @edit change the share at @target; nobody else changes the registry meanwhile. Errors: also
 * BERTH_ERROR_NOT_FOUND, "share.not-found"; those of @edit. */
bool berth_registry_edit_share(BerthRegistry *registry, const BerthDistro *distro,
                               const char *target, BerthShareEditor edit, gpointer user_data,
                               GError **error);

/* The distro's shares, BerthShare *, by target. Free with g_ptr_array_unref. */
GPtrArray *berth_registry_shares(BerthRegistry *registry, const BerthDistro *distro,
                                 GError **error);

/* --- snapshots --- */

/* Errors: also BERTH_ERROR_EXISTS, "snapshot.exists" if the distro has one of that tag;
 * BERTH_ERROR_NOT_FOUND, "distro.not-found". */
bool berth_registry_add_snapshot(BerthRegistry *registry, const BerthSnapshot *snapshot,
                                 GError **error);

/* Remove the row of @snapshot, if it is still there. */
bool berth_registry_remove_snapshot(BerthRegistry *registry, const BerthSnapshot *snapshot,
                                    GError **error);

/* Remove the row of the snapshot whose file is @path, if there is one. */
bool berth_registry_remove_snapshot_at(BerthRegistry *registry, const char *path, GError **error);

/* Call @snapshot, which a restore made, @tag, and remove what former restores made of the distro. */
bool berth_registry_settle_snapshot(BerthRegistry *registry, const BerthSnapshot *snapshot,
                                    const char *tag, GError **error);

/* The snapshots of @distro, or of every distro if NULL, BerthSnapshot *, oldest first. Free with
 * g_ptr_array_unref. */
GPtrArray *berth_registry_snapshots(BerthRegistry *registry, const BerthDistro *distro,
                                    GError **error);

G_END_DECLS
