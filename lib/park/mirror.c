/* SPDX-License-Identifier: MIT */
#include "mirror.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/size.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_SIZE   4096u
#define STAT_BLOCK  G_GUINT64_CONSTANT(512)
#define THREADS_MAX 4u

/* What a thread works on at once: the size in which a guest reports free memory, so that one look
 * tells whether a block has just become a hole. */
#define BLOCK_SIZE ((off_t)2 << 20)

/* A stopped guest waits 1 ms for a copy of this size: another pass gains nothing. */
#define FEW_BYTES  ((guint64)4 << 20)
#define PASSES_MAX 5u

struct BerthMirror {
    int memory;
    int copy;
    gsize size;
    const guint8 *from; /* both mapped; NULL if the size is 0 */
    const guint8 *to;
    bool begun; /* it is not empty any more */
};

typedef struct {
    off_t begin, end;
} Block;

typedef struct {
    BerthMirror *mirror;
    const gint *stop;
    GArray *blocks; /* Block */
    gint next;      /* of them; these three are of all threads */
    gint errnum;    /* the first failure, or 0 */
    gint pages;     /* that differed */
} Pass;

/* --- the two files ---------------------------------------------------------------------------- */

static const guint8 *map(int fd, gsize size)
{
    void *bytes = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    return bytes != MAP_FAILED ? bytes : NULL;
}

static bool open_files(BerthMirror *mirror, int memory, gsize size)
{
    mirror->memory = fcntl(memory, F_DUPFD_CLOEXEC, 0);
    mirror->copy = memfd_create("berth-memory", MFD_CLOEXEC);
    mirror->size = size;
    if (mirror->memory < 0 || mirror->copy < 0 || ftruncate(mirror->copy, (off_t)size) < 0)
        return false;
    if (size == 0)
        return true;
    mirror->from = map(mirror->memory, size);
    mirror->to = mirror->from != NULL ? map(mirror->copy, size) : NULL;
    return mirror->to != NULL;
}

static bool check_room(guint64 bytes, guint64 room, GError **error)
{
    if (bytes <= room)
        return true;
    g_autofree char *need = berth_size_format(bytes);
    g_autofree char *left = berth_size_format(room);
    berth_error_set(error, BERTH_ERROR_NO_SPACE, "park.memory",
                    "end other programs, or copy the disk alone",
                    "a copy needs %s of this host's memory, and %s is available", need, left);
    return false;
}

static bool set_errno(GError **error, int errnum)
{
    berth_error_set_errno(error, errnum, "park.write", "a copy of the guest's memory");
    return false;
}

static void unmap(const guint8 *bytes, gsize size)
{
    if (bytes != NULL)
        munmap((gpointer)bytes, size);
}

void berth_mirror_free(BerthMirror *mirror)
{
    if (mirror == NULL)
        return;
    unmap(mirror->from, mirror->size);
    unmap(mirror->to, mirror->size);
    berth_fd_close(&mirror->memory);
    berth_fd_close(&mirror->copy);
    g_free(mirror);
}

static bool begin(BerthMirror *mirror, int memory, guint64 room, GError **error)
{
    struct stat st;
    if (fstat(memory, &st) < 0 || !open_files(mirror, memory, (gsize)st.st_size))
        return set_errno(error, errno);
    return check_room((guint64)st.st_blocks * STAT_BLOCK, room, error);
}

BerthMirror *berth_mirror_new(int memory, guint64 room, GError **error)
{
    BerthMirror *mirror = g_new0(BerthMirror, 1);
    mirror->memory = mirror->copy = -1;
    if (begin(mirror, memory, room, error))
        return mirror;
    berth_mirror_free(mirror);
    return NULL;
}

bool berth_mirror_is_of(const BerthMirror *mirror, int memory)
{
    struct stat ours, theirs;
    return fstat(mirror->memory, &ours) == 0 && fstat(memory, &theirs) == 0 &&
           ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino &&
           (gsize)theirs.st_size == mirror->size;
}

int berth_mirror_copy(const BerthMirror *mirror)
{
    return mirror->copy;
}

/* --- a thread of a pass ----------------------------------------------------------------------- */

static bool is_equal(const BerthMirror *mirror, off_t page)
{
    return memcmp(mirror->from + page, mirror->to + page, PAGE_SIZE) == 0;
}

/* The first page from @page on that is equal in both, or with @equal false differs; or @end. */
static off_t find(const BerthMirror *mirror, off_t page, off_t end, bool equal)
{
    while (page < end && is_equal(mirror, page) != equal)
        page += PAGE_SIZE;
    return MIN(page, end);
}

/* 0, or an errno. */
static int copy_range(const BerthMirror *mirror, off_t begin, off_t end)
{
    while (begin < end) {
        ssize_t size = pwrite(mirror->copy, mirror->from + begin, (gsize)(end - begin), begin);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return size < 0 ? errno : EIO;
        begin += size;
    }
    return 0;
}

/* A read of a mapped hole would take a page of the host's, so a block that became one is left to
 * the next pass. */
static int copy_block(Pass *pass, const Block *block)
{
    const BerthMirror *mirror = pass->mirror;
    off_t begin = block->begin, end;
    int errnum = 0;
    off_t data = lseek(mirror->memory, block->begin, SEEK_DATA);
    if (data != block->begin)
        return data < 0 && errno != ENXIO ? errno : 0;
    while (errnum == 0 && begin < block->end) {
        begin = mirror->begun ? find(mirror, begin, block->end, false) : begin;
        end = mirror->begun ? find(mirror, begin, block->end, true) : block->end;
        errnum = copy_range(mirror, begin, end);
        g_atomic_int_add(&pass->pages, (gint)((end - begin) / PAGE_SIZE));
        begin = end;
    }
    return errnum;
}

static gpointer run(gpointer data)
{
    Pass *pass = data;
    for (;;) {
        guint i = (guint)g_atomic_int_add(&pass->next, 1);
        if (i >= pass->blocks->len || g_atomic_int_get(&pass->errnum) != 0)
            return NULL;
        int errnum = g_atomic_int_get(pass->stop) != 0
                         ? ECANCELED
                         : copy_block(pass, &g_array_index(pass->blocks, Block, i));
        if (errnum != 0)
            g_atomic_int_compare_and_exchange(&pass->errnum, 0, errnum);
    }
}

/* --- a pass ----------------------------------------------------------------------------------- */

/* What is a hole of the memory becomes one of the copy. */
static int make_hole(const BerthMirror *mirror, off_t begin, off_t end)
{
    off_t data = begin < end && mirror->begun ? lseek(mirror->copy, begin, SEEK_DATA) : -1;
    if (data < 0 || data >= end)
        return 0;
    const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    return fallocate(mirror->copy, mode, data, end - data) < 0 ? errno : 0;
}

static void add_blocks(GArray *blocks, off_t begin, off_t end)
{
    while (begin < end) {
        const Block block = {begin, MIN(end, begin - begin % BLOCK_SIZE + BLOCK_SIZE)};
        g_array_append_val(blocks, block);
        begin = block.end;
    }
}

static int find_blocks(const BerthMirror *mirror, GArray *blocks)
{
    const off_t size = (off_t)mirror->size;
    off_t begin = 0, end = 0;
    int errnum = 0;
    while (errnum == 0 && end < size) {
        begin = lseek(mirror->memory, end, SEEK_DATA);
        if (begin < 0 && errno != ENXIO) /* there is no further data */
            return errno;
        begin = begin < 0 ? size : begin;
        errnum = make_hole(mirror, end, begin);
        end = begin < size ? lseek(mirror->memory, begin, SEEK_HOLE) : size;
        if (end < 0)
            return errno;
        add_blocks(blocks, begin, end);
    }
    return errnum;
}

static void run_threads(Pass *pass)
{
    GThread *threads[THREADS_MAX] = {NULL};
    guint count = MIN(g_get_num_processors(), THREADS_MAX);
    for (guint i = 1; i < count; i++)
        threads[i] = g_thread_try_new("mirror", run, pass, NULL);
    run(pass);
    for (guint i = 1; i < count; i++)
        if (threads[i] != NULL)
            g_thread_join(threads[i]);
}

bool berth_mirror_pass(BerthMirror *mirror, const gint *stop, guint64 *ret_changed, GError **error)
{
    g_autoptr(GArray) blocks = g_array_new(FALSE, FALSE, sizeof(Block));
    Pass pass = {.mirror = mirror, .stop = stop, .blocks = blocks};
    pass.errnum = find_blocks(mirror, blocks);
    if (pass.errnum == 0)
        run_threads(&pass);
    mirror->begun = true;
    *ret_changed = (guint64)(guint)pass.pages * PAGE_SIZE;
    return pass.errnum == 0 || set_errno(error, pass.errnum);
}

/* A guest that writes as fast as it is followed changes as much during each pass. */
bool berth_mirror_follow(BerthMirror *mirror, const gint *stop, GError **error)
{
    guint64 changed = G_MAXUINT64, before;
    for (guint i = 0; i < PASSES_MAX; i++) {
        before = changed;
        if (!berth_mirror_pass(mirror, stop, &changed, error))
            return false;
        if (changed <= FEW_BYTES || changed > before / 2)
            break;
    }
    return true;
}
