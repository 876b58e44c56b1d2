/* SPDX-License-Identifier: MIT
 *
 * arena — a bump allocator: many small allocations, freed together.
 *
 * Allocations are zeroed, aligned for pointers and 64-bit integers, and have no header.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct BerthArena BerthArena;

BerthArena *berth_arena_new(void);
void berth_arena_free(BerthArena *arena);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthArena, berth_arena_free)

/* Allocate @size bytes; never NULL. */
gpointer berth_arena_alloc(BerthArena *arena, gsize size);

/* Copy @length bytes of @text and add a NUL. */
char *berth_arena_strndup(BerthArena *arena, const char *text, gsize length);

G_END_DECLS
