/* SPDX-License-Identifier: MIT
 *
 * measure — how much of its memory and of its root file system the distro uses.
 */
#pragma once

#include <stdint.h>

/* Bytes; zero if it is not known. */
typedef struct {
    uint64_t memory;           /* that the kernel manages */
    uint64_t memory_available; /* to a new program, without swapping */
    uint64_t disk;             /* size of the root file system */
    uint64_t disk_used;        /* of that */
} Measure;

/* Read the lines of /proc/meminfo, in which others than the two may be. */
void measure_memory(const char *text, Measure *measure);

/* @proc is where procfs is, @root a path in the file system. Writes nothing and waits for no
 * disk. */
Measure measure_now(const char *proc, const char *root);
