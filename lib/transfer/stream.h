/* SPDX-License-Identifier: MIT
 *
 * stream — the byte stream that carries files and directories from a sender to a receiver, and its
 * encoding. Needs libc only: `berth` and the guest compile it.
 *
 * The stream is a sequence of lib/wire's frames (channel and stream 0) of the types below. The
 * fields of a payload stand in the order given there, with nothing after them.
 *
 *     transfer  = BEGIN (entry | PROBLEM)* END
 *     entry     = directory | file | SYMLINK | LINK
 *     directory = DIRECTORY ATTRIBUTE* (entry | PROBLEM)* LEAVE
 *     file      = FILE ATTRIBUTE* (DATA | PROBLEM)* (FILE_END | FILE_LOST)
 *     reports   = BEGIN PROBLEM* END          what a receiver sends back
 *     meta      = mode:u32 (permission bits) atime_sec:u64 atime_nsec:u32 mtime_sec:u64
 *                 mtime_nsec:u32              (seconds since 1970 as two's complement)
 *
 * A name is one component of a path: 1 to 255 bytes, no slash, not "." or "..". Only the outermost
 * DIRECTORY may be called ".": its entries belong in the destination itself.
 *
 * Decoders trust nothing: a breach of the grammar is -EPROTO.
 */
#pragma once

#include "wire/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#define TRANSFER_VERSION    1u
#define TRANSFER_CHUNK      61440u   /* bytes of DATA in a frame: whole pages */
#define TRANSFER_DEPTH_MAX  500u     /* directories in each other; each has a descriptor */
#define TRANSFER_LINKS_MAX  1048576u /* files with several names, whose further names are LINKs */
#define TRANSFER_PATH_MAX   4096u    /* bytes of a path in PROBLEM; a longer one is cut */
#define TRANSFER_NAME_MAX   255u
#define TRANSFER_ATTRIBUTES "user." /* the extended attributes that are carried begin so */

typedef enum {
    TRANSFER_BEGIN = 128, /* version:u32 */
    TRANSFER_DIRECTORY,   /* meta name:string */
    TRANSFER_LEAVE,       /* nothing; the last DIRECTORY is complete */
    TRANSFER_FILE,        /* meta name:string size:u64 (a guess) linked:u8; 1: LINK counts it */
    TRANSFER_ATTRIBUTE,   /* name:string value */
    TRANSFER_DATA,        /* offset:u64 bytes; ranges without DATA are holes */
    TRANSFER_FILE_END,    /* size:u64 */
    TRANSFER_FILE_LOST,   /* nothing; the sender could not read the rest */
    TRANSFER_SYMLINK,     /* meta name:string target:string */
    TRANSFER_LINK,        /* name:string index:u32; another name of the index'th `linked` FILE */
    TRANSFER_PROBLEM,     /* step:u8 (TransferStep) error:u32 (Linux's errno, or 0) path:string */
    TRANSFER_END,         /* nothing */
} TransferType;

/* The step that failed for an entry. */
typedef enum {
    TRANSFER_STEP_OPEN,
    TRANSFER_STEP_READ,
    TRANSFER_STEP_DIRECTORY, /* it is a directory, and the transfer is not recursive */
    TRANSFER_STEP_SPECIAL,   /* it is a device, a socket or a FIFO, which are not copied */
    TRANSFER_STEP_DEPTH,
    TRANSFER_STEP_SOURCE_ATTRIBUTES, /* reading extended attributes */
    TRANSFER_STEP_TARGET,            /* the destination */
    TRANSFER_STEP_CREATE,
    TRANSFER_STEP_WRITE,
    TRANSFER_STEP_LINK,
    TRANSFER_STEP_ATTRIBUTES, /* writing them */
    TRANSFER_STEP_METADATA,   /* permissions and times */
    TRANSFER_STEP_SKIPPED,    /* as SPECIAL, but inside a directory: no failure */
    TRANSFER_STEPS
} TransferStep;

typedef struct {
    TransferStep step;
    int error;        /* errno, or 0 */
    const char *path; /* borrowed */
} TransferProblem;

/* Writes all @size bytes, or returns -errno. */
typedef int (*TransferWrite)(void *data, const void *bytes, size_t size);
/* Reads up to @size bytes; returns how many, 0 at the end, or -errno. */
typedef ptrdiff_t (*TransferRead)(void *data, void *bytes, size_t size);
/* @total is 0 where it is not known. Returns false to cancel. */
typedef bool (*TransferProgress)(void *data, uint64_t bytes_done, uint64_t bytes_total);
typedef void (*TransferReport)(void *data, const TransferProblem *problem);

/* Frames on their way out. Borrows what `data` points to; transfer_writer_clear frees the rest. */
typedef struct {
    WireBuffer buffer;
    TransferWrite write;
    void *data;
} TransferWriter;

/* Append a frame; fields go to writer->buffer (wire_put_*) between begin and end. */
size_t transfer_begin(TransferWriter *writer, TransferType type);
/* Write the buffer out once it is large. 0, or -errno. A frame that is too long is left out. */
int transfer_end(TransferWriter *writer, size_t begin);
int transfer_put(TransferWriter *writer, TransferType type); /* without fields */
int transfer_put_begin(TransferWriter *writer);
int transfer_put_problem(TransferWriter *writer, const TransferProblem *problem);
int transfer_flush(TransferWriter *writer);
void transfer_writer_clear(TransferWriter *writer);

typedef struct {
    mode_t mode; /* permission bits only, without setuid and setgid */
    struct timespec times[2];
} TransferMeta;

void transfer_put_meta(TransferWriter *writer, const struct stat *info);
TransferMeta transfer_get_meta(WireReader *reader);
bool transfer_name_is_valid(const char *name);

/* Frames on their way in. */
typedef struct {
    WireBuffer buffer;
    TransferRead read;
    void *data;
    size_t taken; /* bytes of the frame last returned */
} TransferReader;

/* The next frame, valid until the next call. 0; -ENODATA when the stream ended; or -errno. */
int transfer_next(TransferReader *reader, WireFrame *ret_frame);
/* -EPROTO, or -EPROTONOSUPPORT for a BEGIN of another version. */
int transfer_check_begin(const WireFrame *frame);
/* Decode PROBLEM; its path is borrowed from @frame. 0 or -EPROTO. */
int transfer_get_problem(const WireFrame *frame, TransferProblem *ret_problem);
void transfer_reader_clear(TransferReader *reader);
