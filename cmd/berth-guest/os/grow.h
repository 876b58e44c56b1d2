/* SPDX-License-Identifier: MIT
 *
 * grow — grows the root file system to the size of its disk.
 *
 * Each step is journaled: after a crash the next start resumes at the size reached.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/* Grow to the present size of the disk. After @seconds, unless 0, it stops with -EAGAIN. Returns 0,
 * or -errno with the failed step in *ret_what (a constant). */
int grow_to_disk(int seconds, const char **ret_what);

/* Fork a process that waits until the disk has @size bytes, then grows to it. Returns its pid, or
 * -errno; its exit status is 0 or an errno. */
pid_t grow_start(uint64_t size);
