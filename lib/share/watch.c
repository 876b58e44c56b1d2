/* SPDX-License-Identifier: MIT */
#include "watch.h"

#include "base/error.h"
#include "base/fd.h"
#include "confine_share.h"
#include "ledger.h"
#include "nodes.h"
#include "overlay/beneath.h"
#include "wire/share_report.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEPTH_MAX 4096u /* of a path; the ledger may be damaged */

/* Reading changes nothing. */
#define CHANGES                                                                                    \
    (IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE |            \
     IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF)

typedef struct {
    const BerthShareSetup *setup;
    BerthLedger *ledger;
    int *roots; /* descriptors of setup->roots, or -1 */
    int inotify;
    gint64 since; /* nanoseconds since the epoch */
} Watch;

/* The path of the node in slot @at, from the root of what the guest has mounted. False: it has no
 * place. */
static bool path_of(const BerthLedger *ledger, guint64 at, GString *ret_path)
{
    BerthLedgerNode node;
    g_string_truncate(ret_path, 0);
    for (guint depth = 0; at != BERTH_NODE_ROOT; at = node.parent) {
        if (depth == DEPTH_MAX || !berth_ledger_node(ledger, at, &node))
            return false;
        g_string_prepend(ret_path, node.name);
        g_string_prepend_c(ret_path, '/');
    }
    return true;
}

/* Open @path, which begins with a slash, where it is in a share; *@ret_gone: it is there no more.
 * -1: neither. */
static int open_path(const Watch *watch, const char *path, bool *ret_gone)
{
    *ret_gone = false;
    for (guint i = 0; i < watch->setup->n_roots; i++) {
        const BerthShareRoot *share = &watch->setup->roots[i];
        const char *root = share->path + strspn(share->path, "/");
        gsize length = strlen(root);
        if (watch->roots[i] < 0 || strncmp(path + 1, root, length) != 0)
            continue;
        const char *rest = path + 1 + length;
        if (*rest != '\0' && *rest != '/')
            continue;
        int fd = berth_beneath_open(watch->roots[i], *rest == '\0' ? "." : rest + 1);
        *ret_gone = fd == -ENOENT && share->overlay == NULL; /* the guest may have made it there */
        return fd < 0 ? -1 : fd;
    }
    return -1;
}

/* Whether @name in @fd, or @fd itself with "", was changed. A mount of the guest's own is not
 * asked: it would wait for the guest. */
static bool is_changed(const Watch *watch, int fd, const char *name, bool *ret_is_directory)
{
    struct statx info;
    const int flags = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC;
    if (statx(fd, name, flags, STATX_TYPE | STATX_CTIME, &info) < 0)
        return false;
    *ret_is_directory = S_ISDIR(info.stx_mode);
    return info.stx_ctime.tv_sec * G_GINT64_CONSTANT(1000000000) + info.stx_ctime.tv_nsec >=
           watch->since;
}

/* A watch of a directory reports changes of the files in it, too. */
static bool has_changes(const Watch *watch, int fd)
{
    bool is_directory = false, unused;
    if (is_changed(watch, fd, "", &is_directory))
        return true;
    int list = is_directory ? berth_fd_reopen(fd, O_RDONLY | O_DIRECTORY) : -1;
    DIR *directory = list < 0 ? NULL : fdopendir(list);
    const struct dirent *entry;
    bool found = false;
    if (directory == NULL) {
        berth_fd_close(&list);
        return false;
    }
    while (!found && (entry = readdir(directory)) != NULL)
        found = strcmp(entry->d_name, "..") != 0 && is_changed(watch, list, entry->d_name, &unused);
    closedir(directory);
    return found;
}

/* Watch what @item names. True: it was changed already. */
static bool add(const Watch *watch, const WireWatch *item, GString *path)
{
    char self[BERTH_FD_PATH_SIZE];
    guint64 offset = berth_ledger_offset(watch->ledger);
    guint64 at = item->node == BERTH_NODE_ROOT ? item->node : item->node - offset;
    bool is_gone;
    if ((item->mask & CHANGES) == 0 || !path_of(watch->ledger, at, path))
        return false;
    berth_autofd int fd = open_path(watch, path->str, &is_gone);
    if (fd < 0)
        return is_gone;
    berth_fd_self_path(fd, self);
    inotify_add_watch(watch->inotify, self, (item->mask & CHANGES) | IN_MASK_ADD);
    return has_changes(watch, fd);
}

/* Add all of the list in @fd. True: something was changed already. */
static bool add_all(Watch *watch, int fd)
{
    WireWatchList list;
    WireWatch item;
    bool found = false;
    g_autoptr(GString) path = g_string_new(NULL);
    if (pread(fd, &list, sizeof(list), 0) != sizeof(list))
        return false;
    watch->since = list.since_nsec;
    for (guint64 i = 0; i < list.count && !found; i++) {
        off_t at = (off_t)(sizeof(list) + i * sizeof(item));
        found = pread(fd, &item, sizeof(item), at) == sizeof(item) && add(watch, &item, path);
    }
    return found;
}

/* True: there is an event. False: the keeper has ended. */
static bool wait(const Watch *watch)
{
    struct pollfd fds[] = {{.fd = watch->inotify, .events = POLLIN},
                           {.fd = watch->setup->report_fd}};
    while (fds[0].revents == 0 && fds[1].revents == 0)
        if (poll(fds, G_N_ELEMENTS(fds), -1) < 0 && errno != EINTR)
            return false;
    return fds[1].revents == 0;
}

static void open_roots(Watch *watch)
{
    const struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                                 .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    for (guint i = 0; i < watch->setup->n_roots; i++)
        watch->roots[i] =
            (int)syscall(SYS_openat2, AT_FDCWD, watch->setup->roots[i].source, &how, sizeof(how));
}

static bool confine(const Watch *watch, GError **error)
{
    const BerthShareSetup *setup = watch->setup;
    int last_fd = MAX(MAX(setup->port_fd, setup->report_fd), watch->inotify);
    g_autofree BerthSandboxPath *paths = g_new0(BerthSandboxPath, setup->n_roots);
    guint n_paths = 0;
    for (guint i = 0; i < setup->n_roots; i++) {
        last_fd = MAX(last_fd, watch->roots[i]);
        if (watch->roots[i] >= 0)
            paths[n_paths++] = (BerthSandboxPath){watch->roots[i], true};
    }
    return berth_share_confine(MAX(last_fd, setup->ledger_fd), paths, n_paths, error);
}

bool berth_share_watch(const BerthShareSetup *setup, GError **error)
{
    g_autofree int *roots = g_new(int, setup->n_roots);
    g_autoptr(BerthLedger) ledger = berth_ledger_open(setup->ledger_fd, error);
    Watch watch = {.setup = setup, .ledger = ledger, .roots = roots};
    if (ledger == NULL)
        return false;
    open_roots(&watch);
    watch.inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch.inotify < 0) {
        berth_error_set_errno(error, errno, "share.watch", "inotify");
        return false;
    }
    if (!confine(&watch, error))
        return false;
    if (berth_ledger_take_over(ledger) && (add_all(&watch, setup->port_fd) || wait(&watch)))
        (void)!write(setup->report_fd, SHARE_REPORT_CHANGED, sizeof(SHARE_REPORT_CHANGED));
    return true;
}
