/* SPDX-License-Identifier: MIT
 *
 * The tree and the writer: bytes become entries, entries an image of 64 MiB, which e2fsck checks.
 * Any entry may be rejected; the image must be valid.
 *
 * One byte selects the operation, the next ones its arguments: see do_step(). Names come from a
 * small set, so that they collide.
 */
#include "fuzz.h"

#include "disk/ext4/ext4.h"
#include "disk/tree/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define IMAGE_SIZE (G_GUINT64_CONSTANT(64) << 20)
#define STEPS_MAX  400

typedef struct {
    const guint8 *next;
    gsize left;
    BerthTree *tree;
    BerthExt4 *ext4;
    char *last; /* the path of a file that is, or was, in the tree */
} Fuzz;

static guint8 next_byte(Fuzz *fuzz)
{
    if (fuzz->left == 0)
        return 0;
    fuzz->left--;
    return *fuzz->next++;
}

/* Make a path of up to four names, from a set of sixteen; some long, so that directories span
 * several blocks. */
static char *read_path(Fuzz *fuzz)
{
    static const char *const names[] = {"a", "b", "c", "etc", "usr", "lost+found", "..", "."};
    GString *path = g_string_new(NULL);
    guint8 shape = next_byte(fuzz);
    for (guint depth = 0; depth <= shape % 4U; depth++) {
        guint8 which = next_byte(fuzz);
        if (which % 16 < G_N_ELEMENTS(names))
            g_string_append(path, names[which % 16]);
        else
            g_string_append_printf(path, "%0*u", which % 16 == 15 ? 250 : 60, which);
        g_string_append_c(path, '/');
    }
    if ((shape & 0x80) == 0)
        g_string_truncate(path, path->len - 1);
    return g_string_free(path, false);
}

static void add_xattrs(Fuzz *fuzz, BerthEntry *entry)
{
    static const char *const names[] = {"user.a",
                                        "user.long-name",
                                        "trusted.x",
                                        "security.capability",
                                        "system.posix_acl_access",
                                        "system.posix_acl_default"};
    guint8 count = next_byte(fuzz) % 4;
    for (guint i = 0; i < count; i++) {
        guint8 kind = next_byte(fuzz);
        gsize size = kind >= 0xc0 ? (gsize)next_byte(fuzz) * 20 : kind / 4;
        g_autofree guint8 *value = g_malloc0(size + 1);
        memset(value, next_byte(fuzz), size);
        berth_entry_add_xattr(entry, names[kind % G_N_ELEMENTS(names)], value, size);
    }
}

static void add_acl(Fuzz *fuzz, BerthEntry *entry)
{
    guint8 shape = next_byte(fuzz);
    BerthAclEntry lines[] = {{0x01, shape & 7, G_MAXUINT32},
                             {0x02, 4, next_byte(fuzz)},
                             {0x04, 4, G_MAXUINT32},
                             {0x10, shape >> 3 & 7, G_MAXUINT32},
                             {0x20, 0, G_MAXUINT32}};
    g_autoptr(GArray) acl = g_array_new(false, false, sizeof(BerthAclEntry));
    g_array_append_vals(acl, lines, G_N_ELEMENTS(lines));
    berth_entry_add_acl(entry, shape >> 7, acl);
}

/* Write data in pieces with holes between them. */
static bool put_data(Fuzz *fuzz, BerthInode *file, const BerthEntry *entry)
{
    guint8 chunk[9000];
    guint64 size = (guint64)entry->size;
    if (!berth_ext4_begin_file(fuzz->ext4, file, entry->path, size, entry->sparse, NULL))
        return false;
    guint8 pieces = next_byte(fuzz);
    guint64 at = 0;
    for (guint i = 0; i < pieces && at < size; i++) {
        guint8 how = next_byte(fuzz);
        guint64 length = MIN((guint64)how * 35 + 1, size - at);
        memset(chunk, how & 1 ? 'x' : how >> 6, sizeof(chunk));
        if (!berth_ext4_write(fuzz->ext4, at, chunk, length, NULL))
            return false;
        at += length + (how & 2 ? (guint64)how * 64 : 0);
    }
    return berth_ext4_end_file(fuzz->ext4, NULL);
}

static gint64 take_number(Fuzz *fuzz)
{
    static const gint64 edges[] = {0,           1,
                                   255,         256,
                                   4095,        65535,
                                   65536,       0xfffff,
                                   G_MAXINT32,  G_MAXUINT32 - 1,
                                   G_MAXUINT32, -1,
                                   G_MININT32,  G_GINT64_CONSTANT(15032385535),
                                   G_MAXINT64,  G_MININT64};
    return edges[next_byte(fuzz) % G_N_ELEMENTS(edges)];
}

/* False: the image is full. Rejected entries are skipped, so that the rest still reaches e2fsck. */
static bool add_entry(Fuzz *fuzz, guint8 kind)
{
    g_auto(BerthEntry) entry = {.type = (BerthEntryType)(kind & 7), .path = read_path(fuzz)};
    bool links = entry.type == BERTH_ENTRY_SYMLINK || entry.type == BERTH_ENTRY_HARDLINK;
    if (links)
        entry.target = kind & 32 ? read_path(fuzz) : g_strdup(fuzz->last);
    guint8 shape = next_byte(fuzz);
    entry.mode = shape & 1 ? 04755 : 0600;
    entry.size = (gint64)next_byte(fuzz) << (shape & 7) * 2;
    entry.sparse = shape >> 7;
    entry.nodump = shape >> 6 & 1;
    if (shape & 8)
        entry.uid = take_number(fuzz);
    if (shape & 16)
        entry.major = entry.minor = take_number(fuzz);
    if (shape & 32)
        entry.times[0] = (BerthTime){.sec = take_number(fuzz), .nsec = next_byte(fuzz)};
    entry.has_time[0] = true;
    if (kind & 8)
        add_xattrs(fuzz, &entry);
    if (kind & 16)
        add_acl(fuzz, &entry);

    BerthDropped dropped = {0};
    BerthInode *file = NULL;
    if (!berth_entry_normalise(&entry, &dropped, NULL) ||
        !berth_tree_add(fuzz->tree, &entry, &file, NULL) || file == NULL)
        return true;
    g_free(fuzz->last);
    fuzz->last = g_strdup(entry.path);
    return put_data(fuzz, file, &entry);
}

/* Add many entries at once, for an htree directory or a file with many names. */
static bool add_many(Fuzz *fuzz, BerthEntryType type)
{
    g_autofree char *directory = read_path(fuzz);
    guint count = (guint)next_byte(fuzz) * 8;
    for (guint i = 0; i < count; i++) {
        g_auto(BerthEntry) entry = {
            .type = type,
            .path = g_strdup_printf("%s/%u", directory, i),
            .target = g_strdup(fuzz->last),
        };
        BerthDropped dropped = {0};
        BerthInode *file = NULL;
        if (!berth_entry_normalise(&entry, &dropped, NULL) ||
            !berth_tree_add(fuzz->tree, &entry, &file, NULL))
            break;
    }
    return true;
}

static bool do_step(Fuzz *fuzz)
{
    guint8 kind = next_byte(fuzz);
    if (kind < 0xe0)
        return add_entry(fuzz, kind);
    if (kind < 0xf0)
        return add_many(fuzz, (BerthEntryType)(kind & 7));
    if (kind < 0xf4)
        return berth_tree_begin_layer(fuzz->tree, NULL);
    if (kind == 0xff)
        fuzz->tree->files_max = next_byte(fuzz) * 16U + 1;
    g_autofree char *path = read_path(fuzz);
    BerthEntry entry = {.type = BERTH_ENTRY_DIRECTORY, .path = g_steal_pointer(&path)};
    BerthDropped dropped = {0};
    if (!berth_entry_normalise(&entry, &dropped, NULL)) {
        berth_entry_clear(&entry);
        return true;
    }
    bool done = kind & 1 ? berth_tree_whiteout(fuzz->tree, entry.path, NULL)
                         : berth_tree_opaque(fuzz->tree, entry.path, NULL);
    berth_entry_clear(&entry);
    return done;
}

static void check(int fd)
{
    extern char **environ;
    g_autofree char *image = g_strdup_printf("/proc/%d/fd/%d", (int)getpid(), fd);
    char *argv[] = {(char *)"e2fsck", (char *)"-fn", image, NULL};
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    bool talk = g_getenv("BERTH_FUZZ_VERBOSE") != NULL;
    if (!talk)
        posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (!talk)
        posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t child = 0;
    int status = -1;
    g_assert_cmpint(posix_spawn(&child, "/sbin/e2fsck", &quiet, NULL, argv, environ), ==, 0);
    posix_spawn_file_actions_destroy(&quiet);
    while (waitpid(child, &status, 0) < 0)
        g_assert_cmpint(errno, ==, EINTR); /* libFuzzer's timer */
    g_assert_cmpint(status, ==, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("image", MFD_CLOEXEC);
    g_assert_cmpint(ftruncate(fd, (off_t)IMAGE_SIZE), ==, 0);
    BerthExt4Options options = {.size = IMAGE_SIZE};
    Fuzz fuzz = {.next = data, .left = size, .tree = berth_tree_new()};
    fuzz.ext4 = berth_ext4_new(fd, &options, NULL);
    fuzz.tree->files_max = berth_ext4_files_max(fuzz.ext4);

    bool fits = true;
    for (guint i = 0; i < STEPS_MAX && fuzz.left > 0 && fits; i++)
        fits = do_step(&fuzz);
    if (fits && berth_tree_finish(fuzz.tree, NULL) && berth_ext4_finish(fuzz.ext4, fuzz.tree, NULL))
        check(fd);
    berth_ext4_free(fuzz.ext4);
    berth_tree_free(fuzz.tree);
    g_free(fuzz.last);
    close(fd);
    return 0;
}
