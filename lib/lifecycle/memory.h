/* SPDX-License-Identifier: MIT
 *
 * memory — the saved memory of a distro (park/park_file.h) for a copy of its disk.
 *
 * What a keeper saves for a copy fits the machine and the disk that it was taken from. Binding
 * makes it fit the copy, once that is complete, and checks that nothing else differs: the next
 * start of a distro with such a file beside its disk loads it instead of booting.
 *
 * Blocking.
 */
#pragma once

#include "handle.h"

G_BEGIN_DECLS

/* Copy the parked file of the disk @from to be that of the disk @to. Blocks are shared where the
 * file system can. Errors: "<work>.*", those of disk/file/copy.h. */
bool berth_memory_copy(const char *from, const char *to, const char *work, GError **error);

/* The memory beside the file @snapshot was saved with that: it fits as long as nothing writes the
 * file, also after a move. */
bool berth_memory_bind_snapshot(const char *snapshot, GError **error);

/* The memory beside the disk of @clone is that of the distro @source; with @isolated the clone
 * will be started isolated. Errors: also BERTH_ERROR_INVALID, "clone.memory" if it does not fit the
 * clone's machine. */
bool berth_memory_bind_clone(Berth *berth, const BerthDistro *source, const BerthDistro *clone,
                             bool isolated, GError **error);

/* Give @distro, whose disk is now a copy of @snapshot (a path), the memory that was saved with
 * that. *@ret_restored: it has it, else *@ret_reason says what has changed, or is NULL if there is
 * none; free with g_free. */
bool berth_memory_restore(Berth *berth, const BerthDistro *distro, const char *snapshot,
                          bool *ret_restored, char **ret_reason, GError **error);

/* Bytes on the host of the memory beside @disk; 0 if there is none. */
guint64 berth_memory_used(const char *disk);

G_END_DECLS
