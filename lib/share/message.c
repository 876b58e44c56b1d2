/* SPDX-License-Identifier: MIT */
#include "message.h"

#include "wire/probe.h"
#include "wire/replay.h"

#include <linux/fuse.h>
#include <string.h>

G_STATIC_ASSERT(BERTH_MESSAGE_HEADER == sizeof(struct fuse_in_header));
G_STATIC_ASSERT(BERTH_MESSAGE_WRITE ==
                sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in));

/* The variable part of a request, after the fixed part. */
typedef enum {
    NOTHING,
    NAME,      /* one name of a directory */
    TWO_NAMES, /* two of them */
    NAME_TEXT, /* a name, and a text: SYMLINK */
    ATTRIBUTE, /* the name of an extended attribute */
    VALUE,     /* the same, and its value */
    DATA,      /* of a WRITE */
    FORGETS,   /* of a BATCH_FORGET */
    VERSION,   /* of an INIT */
} Tail;

typedef struct {
    guint32 size; /* of the fixed part, bytes; 0: not served */
    Tail tail;
} Shape;

/* From version 7.31 (Linux 5.4) on libfuse reads the structs below; of older ones it expects
 * smaller ones. INIT has grown since; libfuse checks its size. */
#define MINOR_MIN 31u
#define INIT_SIZE 16u

/* The size of a fixed part without bytes. */
#define EMPTY G_MAXUINT32

static const Shape shapes[] = {
    [FUSE_LOOKUP] = {EMPTY, NAME},
    [FUSE_FORGET] = {sizeof(struct fuse_forget_in), NOTHING},
    [FUSE_GETATTR] = {sizeof(struct fuse_getattr_in), NOTHING},
    [FUSE_SETATTR] = {sizeof(struct fuse_setattr_in), NOTHING},
    [FUSE_READLINK] = {EMPTY, NOTHING},
    [FUSE_SYMLINK] = {EMPTY, NAME_TEXT},
    [FUSE_MKNOD] = {sizeof(struct fuse_mknod_in), NAME},
    [FUSE_MKDIR] = {sizeof(struct fuse_mkdir_in), NAME},
    [FUSE_UNLINK] = {EMPTY, NAME},
    [FUSE_RMDIR] = {EMPTY, NAME},
    [FUSE_RENAME] = {sizeof(struct fuse_rename_in), TWO_NAMES},
    [FUSE_LINK] = {sizeof(struct fuse_link_in), NAME},
    [FUSE_OPEN] = {sizeof(struct fuse_open_in), NOTHING},
    [FUSE_READ] = {sizeof(struct fuse_read_in), NOTHING},
    [FUSE_WRITE] = {sizeof(struct fuse_write_in), DATA},
    [FUSE_STATFS] = {EMPTY, NOTHING},
    [FUSE_RELEASE] = {sizeof(struct fuse_release_in), NOTHING},
    [FUSE_FSYNC] = {sizeof(struct fuse_fsync_in), NOTHING},
    [FUSE_SETXATTR] = {FUSE_COMPAT_SETXATTR_IN_SIZE, VALUE},
    [FUSE_GETXATTR] = {sizeof(struct fuse_getxattr_in), ATTRIBUTE},
    [FUSE_LISTXATTR] = {sizeof(struct fuse_getxattr_in), NOTHING},
    [FUSE_REMOVEXATTR] = {EMPTY, ATTRIBUTE},
    [FUSE_FLUSH] = {sizeof(struct fuse_flush_in), NOTHING},
    [FUSE_INIT] = {INIT_SIZE, VERSION},
    [FUSE_OPENDIR] = {sizeof(struct fuse_open_in), NOTHING},
    [FUSE_READDIR] = {sizeof(struct fuse_read_in), NOTHING},
    [FUSE_RELEASEDIR] = {sizeof(struct fuse_release_in), NOTHING},
    [FUSE_FSYNCDIR] = {sizeof(struct fuse_fsync_in), NOTHING},
    [FUSE_GETLK] = {sizeof(struct fuse_lk_in), NOTHING},
    [FUSE_SETLK] = {sizeof(struct fuse_lk_in), NOTHING},
    [FUSE_SETLKW] = {sizeof(struct fuse_lk_in), NOTHING},
    [FUSE_CREATE] = {sizeof(struct fuse_create_in), NAME},
    [FUSE_INTERRUPT] = {sizeof(struct fuse_interrupt_in), NOTHING},
    [FUSE_BATCH_FORGET] = {sizeof(struct fuse_batch_forget_in), FORGETS},
    [FUSE_FALLOCATE] = {sizeof(struct fuse_fallocate_in), NOTHING},
    [FUSE_READDIRPLUS] = {sizeof(struct fuse_read_in), NOTHING},
    [FUSE_RENAME2] = {sizeof(struct fuse_rename2_in), TWO_NAMES},
    [FUSE_LSEEK] = {sizeof(struct fuse_lseek_in), NOTHING},
    [FUSE_COPY_FILE_RANGE] = {sizeof(struct fuse_copy_file_range_in), NOTHING},
};

typedef struct {
    const guint8 *at;
    gsize left;
} Rest;

/* Remove the first string of @rest and return it; NULL: it is not terminated. */
static const char *read_string(Rest *rest)
{
    const guint8 *end = memchr(rest->at, '\0', rest->left);
    if (end == NULL)
        return NULL;
    const char *text = (const char *)rest->at;
    rest->left -= (gsize)(end + 1 - rest->at);
    rest->at = end + 1;
    return text;
}

/* ".." would lead out of the share. */
static bool read_name(Rest *rest)
{
    const char *name = read_string(rest);
    return name != NULL && *name != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

static bool read_attribute(Rest *rest)
{
    const char *name = read_string(rest);
    return name != NULL && *name != '\0';
}

static bool has_data(const guint8 *fixed, gsize left)
{
    struct fuse_write_in write;
    memcpy(&write, fixed, sizeof(write));
    return write.size == left;
}

static bool has_value(const guint8 *fixed, Rest *rest)
{
    struct fuse_setxattr_in set = {0};
    memcpy(&set, fixed, FUSE_COMPAT_SETXATTR_IN_SIZE);
    return read_attribute(rest) && set.size == rest->left;
}

static bool has_forgets(const guint8 *fixed, gsize left)
{
    struct fuse_batch_forget_in forget;
    memcpy(&forget, fixed, sizeof(forget));
    return forget.count <= left / sizeof(struct fuse_forget_one);
}

static bool has_version(const guint8 *fixed)
{
    struct fuse_init_in init = {0};
    memcpy(&init, fixed, INIT_SIZE);
    return init.major == FUSE_KERNEL_VERSION && init.minor >= MINOR_MIN;
}

static bool check_tail(Tail tail, const guint8 *fixed, Rest *rest)
{
    switch (tail) {
    case NOTHING:
        return true;
    case NAME:
        return read_name(rest);
    case TWO_NAMES:
        return read_name(rest) && read_name(rest);
    case NAME_TEXT:
        return read_name(rest) && read_string(rest) != NULL;
    case ATTRIBUTE:
        return read_attribute(rest);
    case VALUE:
        return has_value(fixed, rest);
    case DATA:
        return has_data(fixed, rest->left);
    case FORGETS:
        return has_forgets(fixed, rest->left);
    case VERSION:
        return has_version(fixed);
    }
    return false;
}

static guint32 opcode_of(const guint8 *message)
{
    struct fuse_in_header header;
    memcpy(&header, message, sizeof(header));
    return header.opcode;
}

BerthMessageVerdict berth_message_check(const guint8 *message, gsize size, bool begun)
{
    guint32 opcode = opcode_of(message);
    if ((opcode == FUSE_INIT) == begun)
        return BERTH_MESSAGE_BAD;
    if (opcode == WIRE_REPLAY_ACK)
        return size == BERTH_MESSAGE_HEADER ? BERTH_MESSAGE_GOOD : BERTH_MESSAGE_BAD;
    if (opcode >= G_N_ELEMENTS(shapes) || shapes[opcode].size == 0)
        return BERTH_MESSAGE_UNKNOWN;
    const Shape *shape = &shapes[opcode];
    const guint8 *fixed = message + BERTH_MESSAGE_HEADER;
    gsize left = size - BERTH_MESSAGE_HEADER;
    gsize length = shape->size == EMPTY ? 0 : shape->size;
    if (left < length)
        return BERTH_MESSAGE_BAD;
    Rest rest = {fixed + length, left - length};
    return check_tail(shape->tail, fixed, &rest) ? BERTH_MESSAGE_GOOD : BERTH_MESSAGE_BAD;
}

bool berth_message_wants_answer(const guint8 *message)
{
    guint32 opcode = opcode_of(message);
    return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET && opcode != FUSE_INTERRUPT &&
           opcode != WIRE_REPLAY_ACK;
}

bool berth_message_is_use(const guint8 *message)
{
    struct fuse_in_header header;
    memcpy(&header, message, sizeof(header));
    if (header.pid == WIRE_REPLAY_PID || header.unique == WIRE_PROBE_UNIQUE)
        return false;
    switch (header.opcode) {
    case FUSE_INIT:
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
    case WIRE_REPLAY_ACK:
        return false;
    default:
        return true;
    }
}
