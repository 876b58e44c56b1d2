/* SPDX-License-Identifier: MIT */
#include "links.h"

#include "stream.h"

#include <stdlib.h>

/* The slot of this file, or the free one where it belongs. */
static Link *find_slot(Link *slots, size_t capacity, dev_t device, ino_t inode)
{
    uint64_t hash = ((uint64_t)inode ^ ((uint64_t)device << 32)) * 0x9e3779b97f4a7c15u;
    size_t i = (size_t)(hash >> 20) & (capacity - 1);
    while (slots[i].used && (slots[i].inode != inode || slots[i].device != device))
        i = (i + 1) & (capacity - 1);
    return &slots[i];
}

bool links_find(const Links *links, const struct stat *info, uint32_t *ret_index)
{
    if (links->count == 0)
        return false;
    const Link *slot = find_slot(links->slots, links->capacity, info->st_dev, info->st_ino);
    if (!slot->used)
        return false;
    *ret_index = slot->index;
    return true;
}

static bool grow(Links *links)
{
    size_t capacity = links->capacity > 0 ? links->capacity * 2 : 64;
    Link *slots = calloc(capacity, sizeof(*slots));
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < links->capacity; i++) {
        const Link *old = &links->slots[i];
        if (old->used)
            *find_slot(slots, capacity, old->device, old->inode) = *old;
    }
    free(links->slots);
    links->slots = slots;
    links->capacity = capacity;
    return true;
}

bool links_add(Links *links, const struct stat *info)
{
    if (links->count >= TRANSFER_LINKS_MAX)
        return false;
    if (links->count * 2 >= links->capacity && !grow(links))
        return false;
    Link *slot = find_slot(links->slots, links->capacity, info->st_dev, info->st_ino);
    *slot = (Link){info->st_dev, info->st_ino, links->count++, true};
    return true;
}

void links_clear(Links *links)
{
    free(links->slots);
    *links = (Links){0};
}
