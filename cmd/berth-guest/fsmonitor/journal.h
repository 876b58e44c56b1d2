/* SPDX-License-Identifier: MIT
 *
 * journal — the paths that were changed, each with the number of its last change.
 *
 * A token names a journal and a number: "berth:GENERATION:NUMBER". An answer has the token of now
 * and every path that was changed after the token that was given, or "/", everything, if that is
 * not this journal's. Source: githooks(5), fsmonitor-watchman.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define JOURNAL_TOKEN_MAX 64u

typedef struct {
    char *path;
    uint64_t number;
} JournalEntry;

typedef struct {
    uint64_t generation, number;
    JournalEntry *entries;
    size_t count, room;
    size_t *slots; /* hash table: 1 + index into entries; 0: free */
    size_t n_slots;
} Journal;

/* Forget all paths: no token of before is known any more. False: no randomness. */
bool journal_begin(Journal *journal);

/* Record a change of @path. Beyond 65536 paths, or without memory, the journal begins anew. */
void journal_add(Journal *journal, const char *path);

/* Write the answer to @token. */
void journal_answer(const Journal *journal, const char *token, FILE *to);
