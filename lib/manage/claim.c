/* SPDX-License-Identifier: MIT */
#include "claim.h"

#include "base/error.h"
#include "base/fd.h"
#include "park/park_file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_NAME ".lock"
#define NEW_NAME  ".new"

/* How long a claim waits for a checkpoint of the distro, which nobody asked for, to end. */
#define CHECKPOINT_TIMEOUT_USEC (30 * G_USEC_PER_SEC)
#define CHECKPOINT_POLL_USEC    (G_USEC_PER_SEC / 100)

static const struct {
    const char *state;
    const char *participle; /* "is being ..." */
} works[] = {
    [BERTH_WORK_IMPORT] = {"importing", "imported"},
    [BERTH_WORK_EXPORT] = {"exporting", "exported"},
    [BERTH_WORK_CLONE] = {"cloning", "cloned"},
    [BERTH_WORK_RENAME] = {"renaming", "renamed"},
    [BERTH_WORK_MOVE] = {"moving", "moved"},
    [BERTH_WORK_RESIZE] = {"resizing", "resized"},
    [BERTH_WORK_COMPACT] = {"compacting", "compacted"},
    [BERTH_WORK_SNAPSHOT] = {"snapshotting", "snapshotted"},
    [BERTH_WORK_CHECKPOINT] = {"checkpointing", "snapshotted"},
    [BERTH_WORK_RESTORE] = {"restoring", "restored"},
    [BERTH_WORK_DIFF] = {"comparing", "compared"},
    [BERTH_WORK_REMOVE] = {"removing", "removed"},
    [BERTH_WORK_RUN] = {"starting", "run"},
    [BERTH_WORK_OTHER] = {"busy", "worked on"},
};

struct BerthClaim {
    const BerthLayout *layout;
    BerthRegistry *registry;
    char *path;
    int fd; /* locked */
};

const char *berth_work_state(BerthWork work)
{
    return works[MIN(work, BERTH_WORK_OTHER)].state;
}

static BerthWork work_of(const char *state)
{
    for (gsize i = 0; i < G_N_ELEMENTS(works); i++)
        if (strcmp(works[i].state, state) == 0)
            return (BerthWork)i;
    return BERTH_WORK_OTHER;
}

void berth_claim_holder_free(BerthClaimHolder *holder)
{
    if (holder == NULL)
        return;
    g_free(holder->id);
    g_free(holder->name);
    g_free(holder);
}

static bool set_busy(GError **error, const BerthClaimHolder *holder)
{
    berth_error_set(error, BERTH_ERROR_BUSY, "distro.busy", "wait for it to end, then try again",
                    "%s is being %s by process %d", holder->name, works[holder->work].participle,
                    (int)holder->pid);
    return false;
}

/* --- locks ---------------------------------------------------------------------------------- */

static bool lock_file(int fd, int command)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int result;
    do
        result = fcntl(fd, command, &lock);
    while (result < 0 && errno == EINTR);
    return result == 0;
}

static bool is_held(int fd)
{
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static int lock_claims(const char *claims, GError **error)
{
    g_autofree char *path = g_build_filename(claims, LOCK_NAME, NULL);
    berth_autofd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && lock_file(fd, F_OFD_SETLKW))
        return berth_fd_steal(&fd);
    berth_error_set_errno(error, errno, "claim", "%s", path);
    return -1;
}

/* --- a claim's contents --------------------------------------------------------------------- */

static char **read_lines(int fd)
{
    g_autoptr(GString) text = g_string_new(NULL);
    char bytes[4096];
    ssize_t size;
    while ((size = pread(fd, bytes, sizeof(bytes), (off_t)text->len)) > 0)
        g_string_append_len(text, bytes, size);
    return g_strsplit(text->str, "\n", -1);
}

static bool is_id(const char *text)
{
    return strlen(text) == BERTH_DISTRO_ID_LENGTH &&
           strspn(text, "0123456789abcdef") == BERTH_DISTRO_ID_LENGTH;
}

/* Parse a claim's first line; NULL if it is malformed. */
static BerthClaimHolder *parse_holder(const char *line)
{
    g_auto(GStrv) words = g_strsplit(line != NULL ? line : "", " ", 4);
    guint count = g_strv_length(words);
    if (count == 0 || !is_id(words[0]))
        return NULL;
    BerthClaimHolder *holder = g_new0(BerthClaimHolder, 1);
    holder->id = g_strdup(words[0]);
    holder->work = count > 1 ? work_of(words[1]) : BERTH_WORK_OTHER;
    holder->pid = count > 2 ? atoi(words[2]) : 0;
    holder->name = g_strdup(count > 3 ? words[3] : words[0]);
    return holder;
}

static BerthClaimHolder *read_holder(int fd)
{
    g_auto(GStrv) lines = read_lines(fd);
    return parse_holder(lines[0]);
}

/* --- cleaning up ---------------------------------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *position)
{
    return remove(path);
}

static void remove_tree(const char *path)
{
    const int open_directories = 8;
    nftw(path, remove_entry, open_directories, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* Forget the snapshot at @path if @file is also the disk of the distro @id: the restore that made
 * it was killed before it gave the distro another disk. */
static void forget_unmade_snapshot(BerthRegistry *registry, const char *id, const char *path,
                                   const struct stat *file)
{
    g_autoptr(BerthDistro) distro = berth_registry_find_by_id(registry, id, NULL);
    struct stat disk;
    if (distro != NULL && strcmp(distro->disk, path) != 0 && stat(distro->disk, &disk) == 0 &&
        disk.st_dev == file->st_dev && disk.st_ino == file->st_ino)
        berth_registry_remove_snapshot_at(registry, path, NULL);
}

/* Remove the file of the line "INODE PATH" unless it is a distro's disk or snapshot. */
static void remove_claimed_file(BerthRegistry *registry, const char *id, const char *line)
{
    char *escaped = NULL;
    guint64 inode = g_ascii_strtoull(line, &escaped, 10);
    if (inode == 0 || escaped[0] != ' ' || escaped[1] != '/')
        return;
    g_autofree char *path = g_strcompress(escaped + 1);
    g_autoptr(GError) error = NULL;
    struct stat st;
    bool found = lstat(path, &st) == 0;
    if (found && (!S_ISREG(st.st_mode) || st.st_ino != inode))
        return; /* another file */
    if (found)
        forget_unmade_snapshot(registry, id, path, &st);
    if (berth_registry_has_file(registry, path, &error) || error != NULL)
        return;
    unlink(path);
    berth_park_remove(path); /* the memory that was saved with it */
}

/* Remove files and directories that the registry does not name. Does nothing if it cannot be
 * read. */
static void clear_up(const BerthLayout *layout, BerthRegistry *registry, int fd)
{
    g_auto(GStrv) lines = read_lines(fd);
    g_autoptr(BerthClaimHolder) holder = parse_holder(lines[0]);
    if (holder == NULL)
        return;
    for (guint i = 1; lines[i] != NULL; i++)
        remove_claimed_file(registry, holder->id, lines[i]);

    g_autoptr(GError) error = NULL;
    if (berth_registry_has_id(registry, holder->id, &error) || error != NULL)
        return;
    g_autofree char *directory = berth_layout_distro(layout, holder->id);
    remove_tree(directory);
}

/* Clean up after the command that made the claim at @path, unless it still runs. */
static void sweep_claim(const BerthLayout *layout, BerthRegistry *registry, const char *path)
{
    berth_autofd int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || !lock_file(fd, F_OFD_SETLK))
        return;
    clear_up(layout, registry, fd);
    unlink(path);
}

static GPtrArray *list_paths(const char *claims)
{
    GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) dir = g_dir_open(claims, 0, NULL);
    const char *name;
    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL)
        if (name[0] != '.')
            g_ptr_array_add(paths, g_build_filename(claims, name, NULL));
    return paths;
}

static void sweep(const BerthLayout *layout, BerthRegistry *registry, const char *claims)
{
    g_autoptr(GPtrArray) paths = list_paths(claims);
    for (guint i = 0; i < paths->len; i++)
        sweep_claim(layout, registry, paths->pdata[i]);
}

/* --- reading -------------------------------------------------------------------------------- */

/* Find the holder of the claim at @path, or NULL. */
static BerthClaimHolder *find_holder(const char *path)
{
    berth_autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 && is_held(fd) ? read_holder(fd) : NULL;
}

GPtrArray *berth_claim_list(const BerthLayout *layout)
{
    GPtrArray *holders = g_ptr_array_new_with_free_func((GDestroyNotify)berth_claim_holder_free);
    g_autofree char *claims = berth_layout_claims(layout);
    g_autoptr(GPtrArray) paths = list_paths(claims);
    for (guint i = 0; i < paths->len; i++) {
        BerthClaimHolder *holder = find_holder(paths->pdata[i]);
        if (holder != NULL)
            g_ptr_array_add(holders, holder);
    }
    return holders;
}

static bool is_own_clone(const BerthClaimHolder *holder)
{
    return holder->work == BERTH_WORK_RUN && holder->pid == getpid();
}

bool berth_claim_check(const BerthLayout *layout, const char *id, GError **error)
{
    g_autoptr(GPtrArray) holders = berth_claim_list(layout);
    for (guint i = 0; i < holders->len; i++) {
        const BerthClaimHolder *holder = holders->pdata[i];
        if (strcmp(holder->id, id) == 0 && !is_own_clone(holder))
            return set_busy(error, holder);
    }
    return true;
}

/* --- acquiring ------------------------------------------------------------------------------ */

/* Locks and writes the file before it gets its name, so that no reader sees it incomplete. */
static int make_file(const char *claims, const char *path, const char *words, GError **error)
{
    g_autofree char *new_path = g_build_filename(claims, NEW_NAME, NULL);
    unlink(new_path);
    berth_autofd int fd =
        open(new_path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && lock_file(fd, F_OFD_SETLK) &&
        berth_fd_write_all(fd, words, strlen(words)) == 0 && rename(new_path, path) == 0)
        return berth_fd_steal(&fd);
    berth_error_set_errno(error, errno, "claim", "%s", path);
    unlink(new_path);
    return -1;
}

/* As berth_claim_id, without a wait. NULL without @error, with @may_wait only: a checkpoint has the
 * claim. */
static BerthClaim *claim_once(const BerthLayout *layout, BerthRegistry *registry, const char *name,
                              const char *id, BerthWork work, bool may_wait, GError **error)
{
    g_autofree char *claims = berth_layout_claims(layout);
    if (!berth_layout_make(claims, error))
        return NULL;
    berth_autofd int lock = lock_claims(claims, error);
    if (lock < 0)
        return NULL;
    sweep(layout, registry, claims);

    g_autofree char *lower = g_ascii_strdown(name, -1);
    g_autofree char *path = g_build_filename(claims, lower, NULL);
    g_autoptr(BerthClaimHolder) holder = find_holder(path);
    if (holder != NULL) {
        if (!may_wait || holder->work != BERTH_WORK_CHECKPOINT)
            set_busy(error, holder);
        return NULL;
    }
    g_autofree char *words =
        g_strdup_printf("%s %s %d %s\n", id, berth_work_state(work), (int)getpid(), name);
    berth_autofd int fd = make_file(claims, path, words, error);
    if (fd < 0)
        return NULL;

    BerthClaim *claim = g_new0(BerthClaim, 1);
    claim->layout = layout;
    claim->registry = registry;
    claim->path = g_steal_pointer(&path);
    claim->fd = berth_fd_steal(&fd);
    return claim;
}

BerthClaim *berth_claim_id(const BerthLayout *layout, BerthRegistry *registry, const char *name,
                           const char *id, BerthWork work, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + CHECKPOINT_TIMEOUT_USEC;
    for (;;) {
        g_autoptr(GError) problem = NULL;
        bool may_wait = work != BERTH_WORK_CHECKPOINT && g_get_monotonic_time() < deadline;
        BerthClaim *claim = claim_once(layout, registry, name, id, work, may_wait, &problem);
        if (claim != NULL || problem != NULL) {
            if (problem != NULL)
                g_propagate_error(error, g_steal_pointer(&problem));
            return claim;
        }
        g_usleep(CHECKPOINT_POLL_USEC);
    }
}

static bool check_free(BerthRegistry *registry, const char *name, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(BerthDistro) other = berth_registry_find(registry, name, &problem);
    if (other == NULL && berth_error_is(problem, BERTH_ERROR_NOT_FOUND))
        return true;
    if (other == NULL)
        g_propagate_error(error, g_steal_pointer(&problem));
    else
        berth_error_set(error, BERTH_ERROR_EXISTS, "registry.exists",
                        "choose another name, or remove the other first: berth unregister NAME",
                        "there is a distro called %s already", other->name);
    return false;
}

/* The check under the claim decides; the one before it gives the better message for a registered
 * distro that is busy, perhaps with our own work. */
BerthClaim *berth_claim_name(const BerthLayout *layout, BerthRegistry *registry, const char *name,
                             const char *id, BerthWork work, GError **error)
{
    if (!check_free(registry, name, error))
        return NULL;
    g_autoptr(BerthClaim) claim = berth_claim_id(layout, registry, name, id, work, error);
    return claim != NULL && check_free(registry, name, error) ? g_steal_pointer(&claim) : NULL;
}

BerthClaim *berth_claim_distro(const BerthLayout *layout, BerthRegistry *registry, const char *name,
                               BerthWork work, BerthDistro **ret_distro, GError **error)
{
    g_autoptr(BerthDistro) found = berth_registry_find(registry, name, error);
    if (found == NULL)
        return NULL;
    g_autoptr(BerthClaim) claim =
        berth_claim_id(layout, registry, found->name, found->id, work, error);
    if (claim == NULL)
        return NULL;

    /* The distro may have been removed or renamed before we held the claim. */
    g_autoptr(BerthDistro) distro = berth_registry_find(registry, found->name, error);
    if (distro == NULL)
        return NULL;
    if (strcmp(distro->id, found->id) != 0) {
        berth_error_set(error, BERTH_ERROR_BUSY, "distro.changed", "try again",
                        "another distro has just taken the name %s", found->name);
        return NULL;
    }
    *ret_distro = g_steal_pointer(&distro);
    return g_steal_pointer(&claim);
}

/* --- holding -------------------------------------------------------------------------------- */

/* Make a file's line as durable as the file itself. */
static bool sync_claim(const BerthClaim *claim)
{
    g_autofree char *claims = g_path_get_dirname(claim->path);
    berth_autofd int directory = open(claims, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fdatasync(claim->fd) == 0 && (directory < 0 || berth_fd_sync_directory(directory) == 0);
}

bool berth_claim_add_file(BerthClaim *claim, const char *path, int fd, GError **error)
{
    struct stat st;
    int result = fd >= 0 ? fstat(fd, &st) : lstat(path, &st);
    if (result < 0 && fd < 0 && errno == ENOENT)
        return true;

    g_autofree char *escaped = g_strescape(path, NULL);
    g_autofree char *line = g_strdup_printf("%" G_GUINT64_FORMAT " %s\n",
                                            result == 0 ? (guint64)st.st_ino : 0, escaped);
    if (result == 0 && berth_fd_write_all(claim->fd, line, strlen(line)) == 0 && sync_claim(claim))
        return true;
    berth_error_set_errno(error, errno, "claim", "%s", result < 0 ? path : claim->path);
    return false;
}

void berth_claim_release(BerthClaim *claim)
{
    if (claim == NULL)
        return;
    clear_up(claim->layout, claim->registry, claim->fd);
    unlink(claim->path);
    berth_fd_close(&claim->fd);
    g_free(claim->path);
    g_free(claim);
}
