/* SPDX-License-Identifier: MIT */
#include "requests.h"

#include <string.h>

struct BerthMountRequests {
    GHashTable *by_unique; /* a request is its own key */
};

BerthMountRequests *berth_mount_requests_new(void)
{
    BerthMountRequests *requests = g_new0(BerthMountRequests, 1);
    G_STATIC_ASSERT(offsetof(BerthMountRequest, header.unique) % sizeof(gint64) == 0);
    requests->by_unique = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    return requests;
}

void berth_mount_requests_free(BerthMountRequests *requests)
{
    g_hash_table_unref(requests->by_unique);
    g_free(requests);
}

BerthMountRequest *berth_mount_requests_add(BerthMountRequests *requests,
                                            const struct fuse_in_header *header)
{
    BerthMountRequest *request = g_new0(BerthMountRequest, 1);
    request->header = *header;
    g_hash_table_replace(requests->by_unique, &request->header.unique, request);
    return request;
}

BerthMountRequest *berth_mount_requests_find(BerthMountRequests *requests, guint64 unique)
{
    return g_hash_table_lookup(requests->by_unique, &unique);
}

void berth_mount_requests_remove(BerthMountRequests *requests, guint64 unique)
{
    g_hash_table_remove(requests->by_unique, &unique);
}

void berth_mount_requests_filter(BerthMountRequests *requests,
                                 bool (*each)(BerthMountRequest *request, gpointer data),
                                 gpointer data)
{
    GHashTableIter iter;
    gpointer request;
    g_hash_table_iter_init(&iter, requests->by_unique);
    while (g_hash_table_iter_next(&iter, NULL, &request))
        if (each(request, data))
            g_hash_table_iter_remove(&iter);
}

bool berth_mount_requests_has_answer(guint32 opcode)
{
    return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET && opcode != FUSE_INTERRUPT;
}

static const bool known[] = {
    [FUSE_LOOKUP] = true,
    [FUSE_FORGET] = true,
    [FUSE_GETATTR] = true,
    [FUSE_SETATTR] = true,
    [FUSE_READLINK] = true,
    [FUSE_SYMLINK] = true,
    [FUSE_MKNOD] = true,
    [FUSE_MKDIR] = true,
    [FUSE_UNLINK] = true,
    [FUSE_RMDIR] = true,
    [FUSE_RENAME] = true,
    [FUSE_RENAME2] = true,
    [FUSE_LINK] = true,
    [FUSE_OPEN] = true,
    [FUSE_READ] = true,
    [FUSE_WRITE] = true,
    [FUSE_STATFS] = true,
    [FUSE_RELEASE] = true,
    [FUSE_FSYNC] = true,
    [FUSE_SETXATTR] = true,
    [FUSE_GETXATTR] = true,
    [FUSE_LISTXATTR] = true,
    [FUSE_REMOVEXATTR] = true,
    [FUSE_FLUSH] = true,
    [FUSE_OPENDIR] = true,
    [FUSE_READDIR] = true,
    [FUSE_READDIRPLUS] = true,
    [FUSE_RELEASEDIR] = true,
    [FUSE_FSYNCDIR] = true,
    [FUSE_ACCESS] = true,
    [FUSE_CREATE] = true,
    [FUSE_BATCH_FORGET] = true,
    [FUSE_FALLOCATE] = true,
    [FUSE_LSEEK] = true,
    [FUSE_COPY_FILE_RANGE] = true,
};

bool berth_mount_requests_is_known(guint32 opcode)
{
    return opcode < G_N_ELEMENTS(known) && known[opcode];
}

bool berth_mount_requests_needs_guest(guint32 opcode)
{
    switch (opcode) {
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_FLUSH:
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
        return false;
    default:
        return true;
    }
}

/* ---- undoing ---- */

static void add_request(GByteArray *out, guint32 opcode, guint64 node, const void *body, guint size)
{
    const struct fuse_in_header header = {
        .len = (guint32)sizeof(header) + size, .opcode = opcode, .nodeid = node};
    g_byte_array_append(out, (const guint8 *)&header, sizeof(header));
    g_byte_array_append(out, body, size);
}

static void add_forget(GByteArray *out, guint64 node)
{
    const struct fuse_forget_in forget = {.nlookup = 1};
    if (node != 0)
        add_request(out, FUSE_FORGET, node, &forget, sizeof(forget));
}

static void forget_listed(const guint8 *body, gsize size, GByteArray *out)
{
    const gsize least = offsetof(struct fuse_direntplus, dirent) + FUSE_NAME_OFFSET;
    for (gsize at = 0; at + least <= size;) {
        struct fuse_direntplus entry;
        memcpy(&entry, body + at, least);
        add_forget(out, entry.entry_out.nodeid);
        at += offsetof(struct fuse_direntplus, dirent) +
              FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + (gsize)entry.dirent.namelen);
    }
}

static void release(guint32 opcode, guint64 node, const guint8 *body, gsize size, GByteArray *out)
{
    struct fuse_open_out opened;
    if (size < sizeof(opened))
        return;
    memcpy(&opened, body, sizeof(opened));
    const struct fuse_release_in in = {.fh = opened.fh};
    add_request(out, opcode, node, &in, sizeof(in));
}

void berth_mount_requests_undo(const struct fuse_in_header *header, const guint8 *body, gsize size,
                               GByteArray *out)
{
    struct fuse_entry_out entry = {0};
    memcpy(&entry, body, MIN(size, sizeof(entry)));
    switch (header->opcode) {
    case FUSE_READDIRPLUS:
        forget_listed(body, size, out);
        break;
    case FUSE_OPEN:
        release(FUSE_RELEASE, header->nodeid, body, size, out);
        break;
    case FUSE_OPENDIR:
        release(FUSE_RELEASEDIR, header->nodeid, body, size, out);
        break;
    case FUSE_CREATE:
        if (size > sizeof(entry))
            release(FUSE_RELEASE, entry.nodeid, body + sizeof(entry), size - sizeof(entry), out);
        add_forget(out, entry.nodeid);
        break;
    case FUSE_LOOKUP:
    case FUSE_MKNOD:
    case FUSE_MKDIR:
    case FUSE_SYMLINK:
    case FUSE_LINK:
        add_forget(out, entry.nodeid);
        break;
    default:
        break;
    }
}
