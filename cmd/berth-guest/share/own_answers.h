/* SPDX-License-Identifier: MIT
 *
 * own_answers — requests of the kernel's that the guest answers itself, as the host would: a
 * journey to the host and back costs more than all else about them. They are FLUSH, but for nodes
 * that the host has named (wire/flush.h), and GETXATTR of a name that is not a user's, which the
 * host refuses for every file.
 *
 * Any thread may call either function.
 */
#pragma once

#include <linux/fuse.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OWN_ANSWERS_SLOTS 1048576u /* a power of two */

/* All zero at first. Nodes share a bit whose numbers are equal modulo OWN_ANSWERS_SLOTS; a number
 * follows its node's slot on the host, so hardly any do. A bit stays: it only costs a journey. */
typedef struct {
    _Atomic uint64_t flushed[OWN_ANSWERS_SLOTS / 64];
} OwnAnswers;

/* Whether the request @message of @size bytes, which has a whole header, is answered here by
 * @ret_answer. */
bool own_answers_find(const OwnAnswers *answers, const uint8_t *message, size_t size,
                      struct fuse_out_header *ret_answer);

/* The host wants FLUSH for @node from now on. */
void own_answers_want_flush(OwnAnswers *answers, uint64_t node);
