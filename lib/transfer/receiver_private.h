/* SPDX-License-Identifier: MIT
 *
 * receiver_private — shared by receiver.c (the walk) and receiver_file.c (one file).
 */
#pragma once

#include "path.h"
#include "receiver.h"

/* A directory that is being filled. */
typedef struct {
    int fd;
    size_t path_length; /* of Receiver.path without it */
    bool made;          /* by us: LEAVE sets its permissions and times */
    TransferMeta meta;
} ReceiverLevel;

/* The file between FILE and FILE_END. */
typedef struct {
    bool open;   /* FILE has come, FILE_END has not */
    bool linked; /* later LINKs may refer to it */
    int fd;      /* -1: creating or writing it failed; its further bytes are dropped */
    char name[TRANSFER_NAME_MAX + 1];
    char temporary[32];
    TransferMeta meta;
    uint64_t size; /* one past the last byte written */
} ReceiverFile;

typedef struct {
    const TransferReceive *receive;
    TransferReader reader;
    Path path;             /* of the current entry, as the user wrote it */
    size_t root_length;    /* of the root's path, its beginning */
    ReceiverLevel *levels; /* TRANSFER_DEPTH_MAX + 1; levels[0] is the root */
    unsigned depth;        /* of the innermost level */
    unsigned skipped;      /* nested directories that could not be entered */
    bool into;             /* the destination is the root; else the entry @target in it */
    char target[TRANSFER_NAME_MAX + 1];
    bool slash;         /* a slash followed it: only a directory may be made */
    bool no_attributes; /* the file system has none */
    unsigned count;     /* of outermost entries */
    unsigned serial;    /* of the last temporary name */
    ReceiverFile file;
    size_t file_path; /* length of the path without the file's name */
    char **links;     /* paths below the root of files that count for LINK; NULL: not made */
    uint32_t n_links;
    uint32_t links_size;
    uint64_t done;  /* bytes */
    uint64_t total; /* or 0 */
} Receiver;

/* Report a problem of the current entry; returns 0, or -@error where the transfer must end. */
int receiver_report(Receiver *receiver, TransferStep step, int error);

static inline ReceiverLevel *receiver_level(Receiver *receiver)
{
    return &receiver->levels[receiver->depth];
}

/* openat2 without a way out of @directory: -1 and errno. */
int receiver_open(int directory, const char *path, int flags, mode_t mode);

/* A name that is probably unused in the innermost directory. */
void receiver_temporary(Receiver *receiver, char *name, size_t size);

/* Whether an entry may be created as @name in the innermost directory: it is unused, or a file or a
 * symlink. Reports otherwise. */
bool receiver_may_replace(Receiver *receiver, const char *name);

/* Handle a frame of the file that is open, or that begins with FILE. @name is the checked one. All
 * return 0 or a fatal -errno. */
int receiver_begin_file(Receiver *receiver, WireReader *reader, const char *name);
int receiver_file_frame(Receiver *receiver, const WireFrame *frame);
int receiver_link(Receiver *receiver, const char *name, uint32_t index);
int receiver_attribute(Receiver *receiver, const WireFrame *frame);
void receiver_discard_file(Receiver *receiver);
