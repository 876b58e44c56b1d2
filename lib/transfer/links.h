/* SPDX-License-Identifier: MIT
 *
 * links — the files with several names, by device and inode, numbered as they are added.
 *
 * Zero-initialise; links_clear frees.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

typedef struct {
    dev_t device;
    ino_t inode;
    uint32_t index;
    bool used;
} Link;

typedef struct {
    Link *slots; /* open addressing, at most half full */
    size_t capacity;
    uint32_t count; /* the index of the next one */
} Links;

/* Whether the file of @info was added before, and then its index. */
bool links_find(const Links *links, const struct stat *info, uint32_t *ret_index);

/* False when there is no memory, or TRANSFER_LINKS_MAX were added. */
bool links_add(Links *links, const struct stat *info);
void links_clear(Links *links);
