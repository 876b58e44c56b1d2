/* SPDX-License-Identifier: MIT
 *
 * mirror — a copy of a guest's memory, made equal to it in passes.
 *
 * The first pass copies all, a later one what differs. After a pass during which nothing wrote the
 * memory the copy is equal to it, whatever happened before: so all but the last pass may run while
 * the guest does. Changes are found by comparison, since no kernel without CONFIG_MEM_SOFT_DIRTY
 * knows which pages another process has written: 17 ms for 250 MiB, 75 ms for 1 GiB.
 *
 * Holes of the memory stay holes, also those that appear meanwhile.
 *
 * Blocking; uses several threads of its own during a pass.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

typedef struct BerthMirror BerthMirror;

/* An empty copy of the file @memory, of which it makes a descriptor of its own. @room: bytes of
 * memory that the copy may take. Errors: BERTH_ERROR_NO_SPACE, "park.memory"; errno's,
 * "park.write.*". */
BerthMirror *berth_mirror_new(int memory, guint64 room, GError **error);
void berth_mirror_free(BerthMirror *mirror);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthMirror, berth_mirror_free)

/* Whether @memory is the file that @mirror is a copy of, and has its size still. */
bool berth_mirror_is_of(const BerthMirror *mirror, int memory);

/* One pass. It ends soon once *@stop, which other threads change atomically, is not 0.
 * *@ret_changed: bytes that differed. Errors: errno's, "park.write.*", also ECANCELED. */
bool berth_mirror_pass(BerthMirror *mirror, const gint *stop, guint64 *ret_changed, GError **error);

/* Passes while the guest runs: until few bytes differ, or a further pass would not help. */
bool berth_mirror_follow(BerthMirror *mirror, const gint *stop, GError **error);

/* The copy; borrowed. */
int berth_mirror_copy(const BerthMirror *mirror);

G_END_DECLS
