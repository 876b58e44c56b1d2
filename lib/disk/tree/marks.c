/* SPDX-License-Identifier: MIT */
#include "marks.h"

#include <string.h>

/* As in cmd/berth-guest/distro/container.c. The own name is a prefix of the hidden one and so sorts
 * first. */
static const struct {
    const char *own;
    const char *hidden;
} names[] = {
    {".dockerenv", ".dockerenv.berth"},
    {".dockerinit", ".dockerinit.berth"},
};
G_STATIC_ASSERT(G_N_ELEMENTS(names) == BERTH_MARKS);

static void restore(char *path, gsize mark)
{
    if (path != NULL && strcmp(path, names[mark].hidden) == 0)
        strcpy(path, names[mark].own); /* shorter */
}

void berth_marks_restore(BerthMarks *marks, BerthEntry *entry)
{
    for (gsize i = 0; i < BERTH_MARKS; i++) {
        if (strcmp(entry->path, names[i].own) == 0)
            marks->conflicts[i] = true;
        if (marks->conflicts[i])
            continue;
        restore(entry->path, i);
        if (entry->type == BERTH_ENTRY_HARDLINK)
            restore(entry->target, i);
    }
}
