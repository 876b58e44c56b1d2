/* SPDX-License-Identifier: MIT
 *
 * nearest — the known word that a mistyped one probably means.
 *
 * libc only, for the host and the guest; allocates nothing, cannot fail. Usage:
 *
 *     Nearest nearest = {.word = "memmory"};
 *     for each known word
 *         nearest_offer(&nearest, word);
 *     if (nearest.closest != NULL)
 *         ... "did you mean %s?"
 *
 * Letters to change, add, drop or swap with their neighbour are counted, without regard to case: a
 * word of three to five letters may have one such mistake, a longer one two.
 */
#pragma once

#include <stddef.h>

typedef struct {
    const char *word;    /* borrowed */
    const char *closest; /* borrowed from the offers; NULL: none is close enough */
    size_t mistakes;     /* of `closest` */
} Nearest;

/* Of equally close words the first wins. Words above 63 bytes are not compared. */
void nearest_offer(Nearest *nearest, const char *known);
