/* SPDX-License-Identifier: MIT */
#include "arena.h"

#include <string.h>

#define CHUNK_SIZE 65536U
#define ALIGNMENT  8U

struct BerthArena {
    GPtrArray *chunks;
    guint8 *next;
    gsize left; /* in the newest chunk */
};

BerthArena *berth_arena_new(void)
{
    BerthArena *arena = g_new0(BerthArena, 1);
    arena->chunks = g_ptr_array_new_with_free_func(g_free);
    return arena;
}

void berth_arena_free(BerthArena *arena)
{
    if (arena == NULL)
        return;
    g_ptr_array_unref(arena->chunks);
    g_free(arena);
}

gpointer berth_arena_alloc(BerthArena *arena, gsize size)
{
    gsize rounded = (size + ALIGNMENT - 1) & ~(gsize)(ALIGNMENT - 1);
    if (rounded > CHUNK_SIZE / 4) { /* would waste much of a chunk */
        gpointer large = g_malloc0(rounded);
        g_ptr_array_add(arena->chunks, large);
        return large;
    }
    if (rounded > arena->left) {
        arena->next = g_malloc0(CHUNK_SIZE);
        arena->left = CHUNK_SIZE;
        g_ptr_array_add(arena->chunks, arena->next);
    }
    gpointer memory = arena->next;
    arena->next += rounded;
    arena->left -= rounded;
    return memory;
}

char *berth_arena_strndup(BerthArena *arena, const char *text, gsize length)
{
    char *copy = berth_arena_alloc(arena, length + 1);
    memcpy(copy, text, length);
    return copy;
}
