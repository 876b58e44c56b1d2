/* SPDX-License-Identifier: MIT */
#include "tree_names.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define FIRST_CAPACITY 256U

__extension__ typedef unsigned __int128 Wide;

struct BerthTreeNames {
    BerthArena *arena;
    guint64 key;
    BerthName **slots; /* linear probing; a power of two, at most three quarters full */
    guint32 capacity;
    guint32 count;
};

BerthTreeNames *berth_tree_names_new(BerthArena *arena)
{
    BerthTreeNames *names = g_new0(BerthTreeNames, 1);
    names->arena = arena;
    names->key = (guint64)g_random_int() << 32 | g_random_int();
    names->capacity = FIRST_CAPACITY;
    names->slots = g_new0(BerthName *, names->capacity);
    return names;
}

void berth_tree_names_free(BerthTreeNames *names)
{
    if (names == NULL)
        return;
    g_free(names->slots);
    g_free(names);
}

/* Folded multiply: every input bit affects every bit of the result. */
static guint64 mix(guint64 a, guint64 b)
{
    Wide product = (Wide)a * b;
    return (guint64)product ^ (guint64)(product >> 64);
}

static guint32 hash(const BerthTreeNames *names, const BerthNameList *list, const char *text,
                    gsize length)
{
    guint64 state = mix((guint64)(guintptr)list ^ names->key, 0x9e3779b97f4a7c15 ^ length);
    for (gsize at = 0; at < length; at += 8) {
        guint64 word = 0;
        memcpy(&word, text + at, MIN(8, length - at));
        state = mix(state ^ word ^ names->key, 0xd6e8feb86659fd93);
    }
    return (guint32)(state ^ state >> 32);
}

static bool is(const BerthName *name, const BerthNameList *list, guint32 hashed, const char *text,
               gsize length)
{
    return name->hash == hashed && name->list == list && name->length == length &&
           memcmp(name->text, text, length) == 0;
}

/* The slot of the name, or the free slot to insert it in. */
static BerthName **probe(const BerthTreeNames *names, const BerthNameList *list, guint32 hashed,
                         const char *text, gsize length)
{
    guint32 mask = names->capacity - 1;
    guint32 at = hashed & mask;
    while (names->slots[at] != NULL && !is(names->slots[at], list, hashed, text, length))
        at = (at + 1) & mask;
    return &names->slots[at];
}

BerthName *berth_tree_names_find(const BerthTreeNames *names, const BerthNameList *list,
                                 const char *text, gsize length)
{
    return *probe(names, list, hash(names, list, text, length), text, length);
}

static void grow(BerthTreeNames *names)
{
    g_autofree BerthName **old = names->slots;
    guint32 old_capacity = names->capacity;
    names->capacity *= 2;
    names->slots = g_new0(BerthName *, names->capacity);

    guint32 mask = names->capacity - 1;
    for (guint32 i = 0; i < old_capacity; i++) {
        if (old[i] == NULL)
            continue;
        guint32 at = old[i]->hash & mask;
        while (names->slots[at] != NULL)
            at = (at + 1) & mask;
        names->slots[at] = old[i];
    }
}

BerthName *berth_tree_names_add(BerthTreeNames *names, BerthNameList *list, const char *text,
                                gsize length)
{
    guint32 hashed = hash(names, list, text, length);
    BerthName **slot = probe(names, list, hashed, text, length);
    if (*slot != NULL)
        return *slot;

    BerthName *name = berth_arena_alloc(names->arena, offsetof(BerthName, text) + length + 1);
    name->list = list;
    name->hash = hashed;
    name->length = (guint8)length;
    memcpy(name->text, text, length);
    if (list->last != NULL)
        list->last->next = name;
    else
        list->first = name;
    list->last = name;

    *slot = name;
    if (++names->count > names->capacity / 4 * 3)
        grow(names);
    return name;
}
