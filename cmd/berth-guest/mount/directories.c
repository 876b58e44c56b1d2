/* SPDX-License-Identifier: MIT */
#include "request.h"

#include "wire/mount.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Bytes of entries to read at once: at least one, and about what the answer has room for, since
 * the rest is read again. */
#define ENTRIES_MIN  512
#define ENTRIES_MAX  16384
#define PLUS_PER_ONE 5 /* how much larger an entry with attributes is than the kernel's */

typedef struct {
    uint64_t inode;
    int64_t next; /* the offset of the entry after it */
    uint16_t size;
    uint8_t type;
    char name[];
} Entry;

typedef struct {
    Request *request;
    int fd;
    bool plus;
    size_t room, used; /* of the answer */
    uint64_t offset;   /* of the next entry */
} Listing;

int serve_opendir(Request *request)
{
    struct fuse_open_out *answer = (struct fuse_open_out *)request->answer;
    char path[ATTRIBUTES_PATH];
    int fd = node_open(request->header->nodeid);
    if (fd < 0)
        return fd;
    attributes_path(fd, path);
    int opened = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = opened < 0 ? -errno : 0;
    close(fd);
    if (result < 0)
        return result;
    *answer = (struct fuse_open_out){.fh = handle_add(request->header->nodeid, opened)};
    return answer->fh != 0 ? (int)sizeof(*answer) : -ENOMEM;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* A file that cannot be looked up is in the list all the same. */
static void fill_plus(const Listing *listing, const Entry *entry, struct fuse_entry_out *out)
{
    uint64_t parent = listing->request->header->nodeid;
    if (is_dots(entry->name) || attributes_enter(parent, listing->fd, entry->name, out) < 0)
        *out = (struct fuse_entry_out){
            .attr = {.ino = entry->inode, .mode = (uint32_t)DTTOIF(entry->type)}};
}

/* False: the answer has no room for it. */
static bool add(Listing *listing, const Entry *entry)
{
    uint8_t *out = listing->request->answer + listing->used;
    size_t before = listing->plus ? offsetof(struct fuse_direntplus, dirent) : 0;
    size_t length = strlen(entry->name);
    size_t plain = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + length);
    if (listing->used + before + plain > listing->room)
        return false;
    memset(out, 0, before + plain);
    struct fuse_dirent *dirent = (struct fuse_dirent *)(out + before);
    *dirent = (struct fuse_dirent){.ino = entry->inode,
                                   .off = (uint64_t)entry->next,
                                   .namelen = (uint32_t)length,
                                   .type = entry->type};
    memcpy(dirent->name, entry->name, length);
    if (listing->plus) {
        struct fuse_entry_out *plus = (struct fuse_entry_out *)out;
        fill_plus(listing, entry, plus);
        if (plus->nodeid != 0)
            dirent->ino = plus->attr.ino;
    }
    listing->used += before + plain;
    listing->offset = (uint64_t)entry->next;
    return true;
}

/* Add the entries from listing->offset on. 1: there may be more; 0: no more, or no room; -errno. */
static int add_some(Listing *listing)
{
    _Alignas(Entry) char bytes[ENTRIES_MAX];
    size_t wanted = (listing->room - listing->used) / (listing->plus ? PLUS_PER_ONE : 1);
    wanted = wanted < ENTRIES_MIN ? ENTRIES_MIN : wanted > ENTRIES_MAX ? ENTRIES_MAX : wanted;
    if (lseek(listing->fd, (off_t)listing->offset, SEEK_SET) < 0)
        return -errno;
    long size = syscall(SYS_getdents64, listing->fd, bytes, wanted);
    if (size <= 0)
        return size < 0 ? -errno : 0;
    for (long at = 0; at < size;) {
        const Entry *entry = (const Entry *)(bytes + at);
        if (!add(listing, entry))
            return 0;
        at += entry->size;
    }
    return 1;
}

static int list(Request *request, bool plus)
{
    const struct fuse_read_in *in = request_take(request, sizeof(*in));
    int fd = in != NULL ? handle_fd(in->fh) : -EINVAL;
    if (fd < 0)
        return fd;
    Listing listing = {.request = request,
                       .fd = fd,
                       .plus = plus,
                       .room = in->size < WIRE_MOUNT_DATA ? in->size : WIRE_MOUNT_DATA,
                       .offset = in->offset};
    int result = 1;
    while (result > 0)
        result = add_some(&listing);
    return result < 0 && listing.used == 0 ? result : (int)listing.used;
}

int serve_readdir(Request *request)
{
    return list(request, false);
}

int serve_readdirplus(Request *request)
{
    return list(request, true);
}
