/* SPDX-License-Identifier: MIT */
#include "nearest.h"

#include <stdbool.h>
#include <string.h>

#define LENGTH_MAX 63

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Damerau's distance, where no letter is changed twice (optimal string alignment). */
static size_t count_mistakes(const char *from, const char *to)
{
    size_t rows[3][LENGTH_MAX + 1];
    size_t *above2 = rows[0], *above = rows[1], *row = rows[2];
    size_t columns = strlen(to) + 1;
    for (size_t j = 0; j < columns; j++)
        row[j] = j;
    for (size_t i = 1; from[i - 1] != '\0'; i++) {
        size_t *oldest = above2;
        above2 = above;
        above = row;
        row = oldest;
        row[0] = i;
        for (size_t j = 1; j < columns; j++) {
            char a = lower(from[i - 1]), b = lower(to[j - 1]);
            row[j] = min(above[j - 1] + (a != b), min(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a == lower(to[j - 2]) && b == lower(from[i - 2]))
                row[j] = min(row[j], above2[j - 2] + 1);
        }
    }
    return row[columns - 1];
}

static size_t allowed_mistakes(size_t length)
{
    if (length < 3)
        return 0;
    return length < 6 ? 1 : 2;
}

void nearest_offer(Nearest *nearest, const char *known)
{
    size_t length = strlen(nearest->word);
    if (length > LENGTH_MAX || strlen(known) > LENGTH_MAX)
        return;
    size_t mistakes = count_mistakes(nearest->word, known);
    bool better = nearest->closest == NULL || mistakes < nearest->mistakes;
    if (mistakes > allowed_mistakes(length) || !better)
        return;
    nearest->closest = known;
    nearest->mistakes = mistakes;
}
