/* SPDX-License-Identifier: MIT
 *
 * Requests that a former server had, and that the guest sends again since it has no answer.
 *
 * A server may be killed at any moment: a change that it was asked for was made or not. Most
 * requests have the same effect twice (WRITE at an offset, SETATTR, FALLOCATE). For the others the
 * server writes into the ledger, before it begins, what tells later whether it has made the change:
 * the file that a name led to, the length of a file that is appended to, the time. The next server
 * looks, and answers what was made as the former one would have.
 *
 * A file that is new since then, empty, and with the mode that was asked for is taken for the
 * guest's. The host may have made the same one in the moment between; it would have both then.
 */
#include "share_private.h"

#include "base/fd.h"
#include "charge.h"
#include "layer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define EXCHANGE    2u                 /* linux/fs.h clashes with fuse's headers */
#define SEARCH_MAX  (16 * 1024 * 1024) /* of what was appended meanwhile, bytes */
#define SECOND_NSEC G_GINT64_CONSTANT(1000000000)
#define PIECE       4096 /* a write that a kill cuts ends at such a place in the file */

struct ShareAgain {
    GHashTable
        *former;  /* &change->unique -> BerthLedgerChange, of former servers; else read only */
    gint64 until; /* this server's beginning */
};

/* A request that is recorded. */
typedef struct {
    Share *share;
    guint8 *message;
    struct fuse_in_header header;
    const guint8 *fixed; /* the part of it that has a fixed size */
    const char *name;    /* and what follows: names, or a name and a text */
    const char *other;
    guint64 new_parent; /* of a rename */
} Request;

typedef enum {
    NOT_MADE, /* it is to be made */
    MADE,     /* the same, in another form, which the message has now */
    ANSWERED,
} Verdict;

typedef struct {
    guint32 opcode;
    guint32 size; /* of the fixed part */
    /* Fill in what there is before the change. False: it needs no record. */
    bool (*prepare)(const Request *request, BerthLedgerChange *change);
    Verdict (*judge)(Request *request, const BerthLedgerChange *change);
} Kind;

static void answer(const Request *request, int problem, const void *body, gsize size)
{
    guint8 bytes[sizeof(struct fuse_out_header) + sizeof(struct fuse_write_out)];
    const struct fuse_out_header header = {.len = (guint32)(sizeof(header) + size),
                                           .error = -problem,
                                           .unique = request->header.unique};
    memcpy(bytes, &header, sizeof(header));
    if (size > 0)
        memcpy(bytes + sizeof(header), body, size);
    berth_transport_send(request->share->transport, bytes, header.len);
}

/* ---- names ---- */

/* Whether there is a file @name in @parent. */
static bool find_now(Share *share, guint64 parent, const char *name, ShareFile *ret_file)
{
    berth_autofd int fd = share_open_node(share, parent, NULL);
    if (fd < 0)
        return false;
    SHARE_LAYER_HOLD(share, parent);
    return share_layer_stat_child(share, parent, fd, name, ret_file) == 0;
}

/* Whether @name in @parent is the file @key, which is known. */
static bool is_now(Share *share, guint64 parent, const char *name, const BerthNodeKey *key)
{
    ShareFile file = {0};
    return find_now(share, parent, name, &file) && berth_node_key_equal(&file.key, key);
}

static bool is_known(const BerthNodeKey *key)
{
    return key->inode != 0;
}

static void key_of_node(Share *share, guint64 id, BerthNodeKey *ret_key)
{
    const BerthNode *node = berth_nodes_get(share->nodes, id);
    if (node != NULL)
        *ret_key = node->key;
}

/* A file with several names has a node that is found by the last one. */
static bool prepare_name(const Request *request, BerthLedgerChange *change)
{
    Share *share = request->share;
    ShareFile file = {0};
    g_mutex_lock(&share->lock);
    key_of_node(share, berth_nodes_find(share->nodes, request->header.nodeid, request->name),
                &change->key);
    g_mutex_unlock(&share->lock);
    if (!is_known(&change->key) && find_now(share, request->header.nodeid, request->name, &file))
        change->key = file.key;
    return true;
}

static Verdict judge_removal(Request *request, const BerthLedgerChange *change)
{
    Share *share = request->share;
    const guint64 parent = request->header.nodeid;
    if (!is_known(&change->key) || is_now(share, parent, request->name, &change->key))
        return NOT_MADE;
    g_mutex_lock(&share->lock);
    guint64 id = berth_nodes_find(share->nodes, parent, request->name);
    const BerthNode *node = berth_nodes_get(share->nodes, id);
    if (node != NULL && berth_node_key_equal(&node->key, &change->key))
        berth_nodes_remove(share->nodes, parent, request->name);
    g_mutex_unlock(&share->lock);
    answer(request, 0, NULL, 0);
    return ANSWERED;
}

/* ---- renames ---- */

static bool prepare_rename(const Request *request, BerthLedgerChange *change)
{
    struct fuse_rename2_in fixed = {0};
    prepare_name(request, change);
    memcpy(&fixed, request->fixed,
           request->header.opcode == FUSE_RENAME2 ? sizeof(fixed) : sizeof(struct fuse_rename_in));
    BerthLedgerRename rename = {.unique = change->unique,
                                .parent = request->header.nodeid,
                                .new_parent = fixed.newdir,
                                .swaps = (fixed.flags & EXCHANGE) != 0};
    if (strlen(request->name) >= sizeof(rename.name) ||
        strlen(request->other) >= sizeof(rename.new_name))
        return true; /* the host refuses it */
    strcpy(rename.name, request->name);
    strcpy(rename.new_name, request->other);
    berth_ledger_add_rename(request->share->ledger, &rename);
    return true;
}

static bool was_renamed(Share *share, const BerthLedgerRename *rename, const BerthNodeKey *key)
{
    return is_known(key) && !is_now(share, rename->parent, rename->name, key) &&
           is_now(share, rename->new_parent, rename->new_name, key);
}

/* Before the files that were open are opened again: they are where they are now. */
static void resume_rename(Share *share, const BerthLedgerRename *rename)
{
    const BerthLedgerChange *change = g_hash_table_lookup(share->again->former, &rename->unique);
    guint64 id = berth_nodes_find(share->nodes, rename->parent, rename->name);
    const BerthNode *node = berth_nodes_get(share->nodes, id);
    if (change == NULL || node == NULL || !berth_node_key_equal(&node->key, &change->key) ||
        !was_renamed(share, rename, &change->key))
        return;
    berth_nodes_rename(share->nodes, rename->parent, rename->name, rename->new_parent,
                       rename->new_name, rename->swaps);
}

static Verdict judge_rename(Request *request, const BerthLedgerChange *change)
{
    BerthLedgerRename rename = {.parent = request->header.nodeid};
    struct fuse_rename_in fixed;
    memcpy(&fixed, request->fixed, sizeof(fixed));
    rename.new_parent = fixed.newdir;
    g_strlcpy(rename.name, request->name, sizeof(rename.name));
    g_strlcpy(rename.new_name, request->other, sizeof(rename.new_name));
    if (!was_renamed(request->share, &rename, &change->key))
        return NOT_MADE;
    answer(request, 0, NULL, 0);
    return ANSWERED;
}

/* ---- new files ---- */

static bool prepare_new(const Request *request, BerthLedgerChange *change)
{
    return true; /* its time is enough */
}

static bool is_between(const ShareAgain *again, const BerthLedgerChange *change, gint64 time)
{
    bool whole = time % SECOND_NSEC == 0; /* all that some file systems record */
    gint64 begun = whole ? change->begun - change->begun % SECOND_NSEC : change->begun;
    return time >= begun && time <= again->until;
}

static gint64 birth_of(const ShareFile *file)
{
    const struct timespec *changed = &file->attributes.st_ctim;
    return file->key.birth_nsec != 0 ? (gint64)file->key.birth_nsec
                                     : changed->tv_sec * SECOND_NSEC + changed->tv_nsec;
}

/* Whether there is a file as @request asks for, made since then. */
static bool was_made(const Request *request, const BerthLedgerChange *change, mode_t mode,
                     gint64 size)
{
    Share *share = request->share;
    ShareFile file = {0};
    if (!find_now(share, request->header.nodeid, request->name, &file) ||
        file.attributes.st_uid != share->guest_uid ||
        !is_between(share->again, change, birth_of(&file)))
        return false;
    const mode_t bits = S_ISLNK(mode) ? S_IFMT : S_IFMT | 0777;
    return (file.attributes.st_mode & bits) == (mode & bits) &&
           (size < 0 || file.attributes.st_size == size);
}

/* The answer is that of a lookup. */
static Verdict become_lookup(Request *request)
{
    const gsize size = strlen(request->name) + 1;
    request->header.opcode = FUSE_LOOKUP;
    request->header.len = (guint32)(sizeof(request->header) + size);
    memmove(request->message + sizeof(request->header), request->name, size);
    memcpy(request->message, &request->header, sizeof(request->header));
    return MADE;
}

static Verdict judge_mkdir(Request *request, const BerthLedgerChange *change)
{
    struct fuse_mkdir_in fixed;
    memcpy(&fixed, request->fixed, sizeof(fixed));
    bool made = was_made(request, change, S_IFDIR | (fixed.mode & 0777), -1);
    return made ? become_lookup(request) : NOT_MADE;
}

static Verdict judge_mknod(Request *request, const BerthLedgerChange *change)
{
    struct fuse_mknod_in fixed;
    memcpy(&fixed, request->fixed, sizeof(fixed));
    bool made = was_made(request, change, fixed.mode & (S_IFMT | 0777), 0);
    return made ? become_lookup(request) : NOT_MADE;
}

static Verdict judge_symlink(Request *request, const BerthLedgerChange *change)
{
    bool made = was_made(request, change, S_IFLNK, (gint64)strlen(request->other));
    return made ? become_lookup(request) : NOT_MADE;
}

static bool prepare_link(const Request *request, BerthLedgerChange *change)
{
    struct fuse_link_in fixed;
    memcpy(&fixed, request->fixed, sizeof(fixed));
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&request->share->lock);
    key_of_node(request->share, fixed.oldnodeid, &change->key);
    return true;
}

static Verdict judge_link(Request *request, const BerthLedgerChange *change)
{
    bool made = is_known(&change->key) &&
                is_now(request->share, request->header.nodeid, request->name, &change->key);
    return made ? become_lookup(request) : NOT_MADE;
}

/* It may have a mode with which it can be opened only once: the empty file is made anew then. */
static void remove_made(const Request *request)
{
    Share *share = request->share;
    const guint64 parent = request->header.nodeid;
    berth_autofd int fd = share_open_to_change(share, parent);
    if (fd < 0)
        return;
    ShareEcho *echo = share_echo_begin(share, parent, request->name, IN_DELETE);
    share_echo_end(share, echo, share_layer_unlink(share, parent, fd, request->name, 0) >= 0);
}

static Verdict judge_create(Request *request, const BerthLedgerChange *change)
{
    struct fuse_create_in fixed;
    memcpy(&fixed, request->fixed, sizeof(fixed));
    if (!was_made(request, change, S_IFREG | (fixed.mode & 0777), 0))
        return NOT_MADE;
    if ((fixed.mode & 0600) != 0600) {
        remove_made(request);
        return MADE;
    }
    fixed.flags &= ~(guint32)O_EXCL;
    memcpy(request->message + sizeof(request->header), &fixed, sizeof(fixed));
    return MADE;
}

/* ---- extended attributes ---- */

static bool has_attribute(const Request *request)
{
    char path[BERTH_FD_PATH_SIZE];
    berth_autofd int fd = share_open_node(request->share, request->header.nodeid, NULL);
    berth_fd_self_path(fd, path);
    return fd >= 0 && getxattr(path, request->name, NULL, 0) >= 0;
}

/* One that must be new, or that is removed. */
static bool prepare_attribute(const Request *request, BerthLedgerChange *change)
{
    struct fuse_setxattr_in fixed = {0};
    if (request->header.opcode == FUSE_SETXATTR)
        memcpy(&fixed, request->fixed, FUSE_COMPAT_SETXATTR_IN_SIZE);
    if (request->header.opcode == FUSE_SETXATTR && (fixed.flags & XATTR_CREATE) == 0)
        return false;
    change->size = has_attribute(request);
    return true;
}

static Verdict judge_set_attribute(Request *request, const BerthLedgerChange *change)
{
    struct fuse_setxattr_in fixed = {0};
    memcpy(&fixed, request->fixed, FUSE_COMPAT_SETXATTR_IN_SIZE);
    if (change->size != 0 || !has_attribute(request))
        return NOT_MADE;
    fixed.flags = 0;
    memcpy(request->message + sizeof(request->header), &fixed, FUSE_COMPAT_SETXATTR_IN_SIZE);
    return MADE;
}

static Verdict judge_remove_attribute(Request *request, const BerthLedgerChange *change)
{
    if (change->size == 0 || has_attribute(request))
        return NOT_MADE;
    answer(request, 0, NULL, 0);
    return ANSWERED;
}

/* ---- appending ---- */

/* The handle of a WRITE at the end of its file, wherever that is; else NULL. */
static BerthHandle *appending(const Request *request, struct fuse_write_in *ret_fixed)
{
    memcpy(ret_fixed, request->fixed, sizeof(*ret_fixed));
    if ((ret_fixed->write_flags & FUSE_WRITE_CACHE) != 0)
        return NULL;
    g_autoptr(BerthHandle) handle = berth_handles_get(request->share->handles, ret_fixed->fh);
    bool appends = handle != NULL && handle->fd >= 0 && handle->is_appending;
    return appends ? g_steal_pointer(&handle) : NULL;
}

static bool prepare_write(const Request *request, BerthLedgerChange *change)
{
    struct fuse_write_in fixed;
    struct stat info;
    g_autoptr(BerthHandle) handle = appending(request, &fixed);
    if (handle == NULL || fstat(handle->fd, &info) < 0)
        return false;
    change->size = info.st_size;
    return true;
}

/* Read what is in the file from @from on; NULL: that is not possible, or too much. */
static GByteArray *read_from(int fd, gint64 from)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    struct stat info;
    if (fstat(fd, &info) < 0 || info.st_size - from > SEARCH_MAX)
        return NULL;
    g_byte_array_set_size(bytes, (guint)MAX(info.st_size - from, 0));
    guint done = 0;
    while (done < bytes->len) {
        ssize_t got = pread(fd, bytes->data + done, bytes->len - done, from + done);
        if (got < 0)
            return NULL;
        if (got == 0)
            break;
        done += (guint)got;
    }
    g_byte_array_set_size(bytes, done);
    return g_steal_pointer(&bytes);
}

/* How much of @data was appended: all of it somewhere, or a beginning at the end. */
static gsize appended(const GByteArray *found, gint64 from, const guint8 *data, gsize size)
{
    if (memmem(found->data, found->len, data, size) != NULL)
        return size;
    if ((from + found->len) % PIECE != 0)
        return 0;
    for (gsize length = MIN(size, found->len); length > 0; length--)
        if (memcmp(found->data + found->len - length, data, length) == 0)
            return length;
    return 0;
}

static void append_rest(const Request *request, const BerthHandle *handle, gsize done, gsize size)
{
    const guint8 *data = request->fixed + sizeof(struct fuse_write_in);
    struct fuse_write_out body = {.size = (guint32)size};
    ssize_t put = done == size ? 0
                               : share_write_within(request->share, handle, handle->fd,
                                                    (const char *)data + done, size - done, 0);
    body.size = (guint32)(done + (gsize)MAX(put, 0));
    if (put < 0)
        answer(request, (int)-put, NULL, 0);
    else
        answer(request, 0, &body, sizeof(body));
}

static Verdict judge_write(Request *request, const BerthLedgerChange *change)
{
    struct fuse_write_in fixed;
    g_autoptr(BerthHandle) handle = appending(request, &fixed);
    if (handle == NULL || fixed.size == 0)
        return NOT_MADE;
    berth_autofd int fd = berth_fd_reopen(handle->fd, O_RDONLY);
    g_autoptr(GByteArray) found = fd < 0 ? NULL : read_from(fd, change->size);
    if (found == NULL) {
        answer(request, EIO, NULL, 0); /* nobody knows */
        return ANSWERED;
    }
    gsize done = appended(found, change->size, request->fixed + sizeof(fixed), fixed.size);
    if (done == 0)
        return NOT_MADE;
    append_rest(request, handle, done, fixed.size);
    return ANSWERED;
}

/* ---- all ---- */

static const Kind kinds[] = {
    {FUSE_CREATE, sizeof(struct fuse_create_in), prepare_new, judge_create},
    {FUSE_MKNOD, sizeof(struct fuse_mknod_in), prepare_new, judge_mknod},
    {FUSE_MKDIR, sizeof(struct fuse_mkdir_in), prepare_new, judge_mkdir},
    {FUSE_SYMLINK, 0, prepare_new, judge_symlink},
    {FUSE_LINK, sizeof(struct fuse_link_in), prepare_link, judge_link},
    {FUSE_UNLINK, 0, prepare_name, judge_removal},
    {FUSE_RMDIR, 0, prepare_name, judge_removal},
    {FUSE_RENAME, sizeof(struct fuse_rename_in), prepare_rename, judge_rename},
    {FUSE_RENAME2, sizeof(struct fuse_rename2_in), prepare_rename, judge_rename},
    {FUSE_SETXATTR, FUSE_COMPAT_SETXATTR_IN_SIZE, prepare_attribute, judge_set_attribute},
    {FUSE_REMOVEXATTR, 0, prepare_attribute, judge_remove_attribute},
    {FUSE_WRITE, sizeof(struct fuse_write_in), prepare_write, judge_write},
};

static const Kind *find_kind(guint32 opcode)
{
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (kinds[i].opcode == opcode)
            return &kinds[i];
    return NULL;
}

ShareAgain *share_again_new(void)
{
    ShareAgain *again = g_new0(ShareAgain, 1);
    again->former = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    return again;
}

void share_again_free(ShareAgain *again)
{
    g_hash_table_unref(again->former);
    g_free(again);
}

void share_again_resume(Share *share)
{
    BerthLedgerChange change;
    BerthLedgerRename rename;
    share->again->until = share_now(true);
    berth_ledger_end_changes(share->ledger);
    for (guint at = 0; at < BERTH_LEDGER_CHANGES; at++) {
        if (!berth_ledger_change(share->ledger, at, &change))
            continue;
        BerthLedgerChange *copy = g_memdup2(&change, sizeof(change));
        g_hash_table_replace(share->again->former, &copy->unique, copy);
    }
    for (guint at = 0; at < BERTH_LEDGER_RENAMES; at++)
        if (berth_ledger_rename(share->ledger, at, &rename))
            resume_rename(share, &rename);
}

static Verdict handle(Request *request, const Kind *kind, int *ret_place)
{
    Share *share = request->share;
    const BerthLedgerChange *former =
        g_hash_table_lookup(share->again->former, &request->header.unique);
    BerthLedgerChange change = {.unique = request->header.unique, .begun = share_now(false)};
    Verdict verdict = former != NULL ? kind->judge(request, former) : NOT_MADE;
    if (former != NULL && verdict != ANSWERED)
        *ret_place = berth_ledger_begin_change(share->ledger, former);
    else if (former == NULL && kind->prepare(request, &change))
        *ret_place = berth_ledger_begin_change(share->ledger, &change);
    return verdict;
}

bool share_again_begin(Share *share, guint8 *message, gsize *size, int *ret_place)
{
    *ret_place = -1;
    Request request = {.share = share, .message = message};
    memcpy(&request.header, message, sizeof(request.header));
    const Kind *kind = find_kind(request.header.opcode);
    if (kind == NULL || request.header.unique == 0)
        return true;
    request.fixed = message + sizeof(request.header);
    if (kind->opcode != FUSE_WRITE) {
        request.name = (const char *)request.fixed + kind->size;
        request.other = request.name + strlen(request.name) + 1; /* if there are two */
    }
    Verdict verdict = handle(&request, kind, ret_place);
    *size = verdict == MADE ? request.header.len : *size;
    return verdict != ANSWERED;
}
