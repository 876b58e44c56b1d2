/* SPDX-License-Identifier: MIT */
#include "own_answers.h"

#include "wire/replay.h"

#include <errno.h>
#include <string.h>

#define USERS "user."

static bool is_flushed(const OwnAnswers *answers, uint64_t node)
{
    uint64_t at = node % OWN_ANSWERS_SLOTS;
    return (atomic_load(&answers->flushed[at / 64]) >> (at % 64) & 1) != 0;
}

void own_answers_want_flush(OwnAnswers *answers, uint64_t node)
{
    uint64_t at = node % OWN_ANSWERS_SLOTS;
    atomic_fetch_or(&answers->flushed[at / 64], (uint64_t)1 << (at % 64));
}

static bool is_users(const uint8_t *name, size_t size)
{
    return size >= strlen(USERS) && memcmp(name, USERS, strlen(USERS)) == 0;
}

bool own_answers_find(const OwnAnswers *answers, const uint8_t *message, size_t size,
                      struct fuse_out_header *ret_answer)
{
    const size_t name = sizeof(struct fuse_in_header) + sizeof(struct fuse_getxattr_in);
    struct fuse_in_header header;
    memcpy(&header, message, sizeof(header));
    *ret_answer = (struct fuse_out_header){.len = sizeof(*ret_answer), .unique = header.unique};
    if (header.pid == WIRE_REPLAY_PID) /* the host counts what a replay asks for */
        return false;
    if (header.opcode == FUSE_FLUSH)
        return !is_flushed(answers, header.nodeid);
    ret_answer->error = -ENODATA;
    return header.opcode == FUSE_GETXATTR && size > name && !is_users(message + name, size - name);
}
