/* SPDX-License-Identifier: MIT */
#include "journal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define PATHS_MAX   65536u
#define FIRST_SLOTS 1024u

bool journal_begin(Journal *journal)
{
    for (size_t i = 0; i < journal->count; i++)
        free(journal->entries[i].path);
    free(journal->entries);
    free(journal->slots);
    *journal = (Journal){0};
    return getrandom(&journal->generation, sizeof(journal->generation), 0) ==
           (ssize_t)sizeof(journal->generation);
}

/* FNV-1a */
static size_t hash_of(const char *path)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *path != '\0'; path++)
        hash = (hash ^ (unsigned char)*path) * 0x100000001b3u;
    return (size_t)(hash ^ (hash >> 32));
}

/* The slot of @path, or a free one for it. */
static size_t *find_slot(const Journal *journal, const char *path)
{
    size_t at = hash_of(path);
    for (;; at++) {
        size_t *slot = &journal->slots[at & (journal->n_slots - 1)];
        if (*slot == 0 || strcmp(journal->entries[*slot - 1].path, path) == 0)
            return slot;
    }
}

/* Make room for one more path; no more than half of the slots are in use. */
static bool grow(Journal *journal)
{
    if (2 * (journal->count + 1) <= journal->n_slots)
        return true;
    size_t n_slots = journal->n_slots != 0 ? 2 * journal->n_slots : FIRST_SLOTS;
    JournalEntry *entries = realloc(journal->entries, n_slots / 2 * sizeof(*entries));
    if (entries == NULL)
        return false;
    journal->entries = entries;
    size_t *slots = calloc(n_slots, sizeof(*slots));
    if (slots == NULL)
        return false;
    free(journal->slots);
    journal->slots = slots;
    journal->n_slots = n_slots;
    for (size_t i = 0; i < journal->count; i++)
        *find_slot(journal, entries[i].path) = i + 1;
    return true;
}

static bool add(Journal *journal, const char *path)
{
    if (journal->count >= PATHS_MAX || !grow(journal))
        return false;
    size_t *slot = find_slot(journal, path);
    if (*slot == 0) {
        char *copy = strdup(path);
        if (copy == NULL)
            return false;
        journal->entries[journal->count++] = (JournalEntry){.path = copy};
        *slot = journal->count;
    }
    journal->entries[*slot - 1].number = ++journal->number;
    return true;
}

void journal_add(Journal *journal, const char *path)
{
    uint64_t former = journal->generation;
    if (add(journal, path))
        return;
    if (!journal_begin(journal) || journal->generation == former)
        journal->generation = former + 1;
}

static bool read_token(const Journal *journal, const char *token, uint64_t *ret_number)
{
    char again[JOURNAL_TOKEN_MAX];
    uint64_t generation;
    if (sscanf(token, "berth:%" SCNx64 ":%" SCNu64, &generation, ret_number) != 2)
        return false;
    snprintf(again, sizeof(again), "berth:%" PRIx64 ":%" PRIu64, generation, *ret_number);
    return strcmp(again, token) == 0 && generation == journal->generation &&
           *ret_number <= journal->number;
}

void journal_answer(const Journal *journal, const char *token, FILE *to)
{
    uint64_t since;
    fprintf(to, "berth:%" PRIx64 ":%" PRIu64 "%c", journal->generation, journal->number, '\0');
    if (!read_token(journal, token, &since)) {
        fwrite("/", 1, 2, to);
        return;
    }
    for (size_t i = 0; i < journal->count; i++)
        if (journal->entries[i].number > since)
            fwrite(journal->entries[i].path, 1, strlen(journal->entries[i].path) + 1, to);
}
