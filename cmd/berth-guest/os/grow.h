/* SPDX-License-Identifier: MIT
 *
 * grow — let the root's file system follow a disk that the host has made larger.
 *
 * Journaled step by step: a crash leaves it somewhere in between, and the next start goes on.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/* As far as the disk is now. Stops on the way with -EAGAIN after @seconds, unless these are 0.
 * Returns 0, or -errno with what failed in *ret_what (a constant). */
int grow_to_disk(int seconds, const char **ret_what);

/* The same in a process of its own, once the disk has @size bytes. Returns its pid, or -errno; its
 * exit status is 0 or an errno. */
pid_t grow_start(uint64_t size);
