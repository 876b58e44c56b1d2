/* SPDX-License-Identifier: MIT */
#include "park_sum.h"

#include <string.h>

#define LANES 4u
#define WORD  sizeof(guint64)
#define PRIME G_GUINT64_CONSTANT(0x9e3779b97f4a7c15) /* odd, with its bits spread */

static guint64 mix(guint64 sum, guint64 word)
{
    sum = (sum ^ word) * PRIME;
    return sum ^ sum >> 29;
}

static guint64 word_at(const guint8 *at, gsize size)
{
    guint64 word = 0;
    memcpy(&word, at, size);
    return GUINT64_FROM_LE(word);
}

/* Four lanes, since a processor multiplies several numbers at a time. */
guint64 berth_park_sum(guint64 seed, const void *data, gsize size)
{
    const guint8 *at = data;
    guint64 lanes[LANES];
    gsize left = size;
    for (guint i = 0; i < LANES; i++)
        lanes[i] = seed + i;
    for (; left >= LANES * WORD; left -= LANES * WORD, at += LANES * WORD)
        for (guint i = 0; i < LANES; i++)
            lanes[i] = mix(lanes[i], word_at(at + i * WORD, WORD));
    guint64 sum = mix(seed, size);
    for (guint i = 0; i < LANES; i++)
        sum = mix(sum, lanes[i]);
    for (gsize part; left > 0; left -= part, at += part) {
        part = MIN(left, WORD);
        sum = mix(sum, word_at(at, part));
    }
    return sum;
}
