/* SPDX-License-Identifier: MIT
 *
 * sender_private — shared by sender.c (the walk) and sender_file.c (one file).
 */
#pragma once

#include "links.h"
#include "path.h"
#include "sender.h"

#include <dirent.h>

/* A directory that is being read. */
typedef struct {
    DIR *stream;
    size_t path_length; /* of Sender.path without it */
} SenderLevel;

typedef struct {
    const TransferSend *send;
    TransferWriter writer;
    Links links;
    Path path;
    SenderLevel *levels; /* TRANSFER_DEPTH_MAX */
    unsigned depth;
    uint64_t done;  /* bytes of files */
    uint64_t total; /* or 0 */
    char *names;    /* TRANSFER_NAMES_SIZE; of extended attributes */
    char *value;    /* WIRE_PAYLOAD_MAX; of one */
} Sender;

#define TRANSFER_NAMES_SIZE 65536u

/* The place of an entry, and its name in the stream. */
typedef struct {
    int directory; /* or AT_FDCWD */
    const char *name;
    const char *sent;
    bool follow; /* a symlink leads to the entry */
} SenderEntry;

/* All these return 0 or a fatal -errno. */
int sender_report(Sender *sender, TransferStep step, int error);
int sender_put_attributes(Sender *sender, int fd);
int sender_put_file(Sender *sender, const SenderEntry *entry, const struct stat *info);
