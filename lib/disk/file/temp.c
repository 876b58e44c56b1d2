/* SPDX-License-Identifier: MIT */
#include "temp.h"

#include "base/error.h"
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK ".import-"

struct BerthTemp {
    int directory;
    int fd;
    BerthTempFlags flags;
    const char *step; /* prefix of error ids: "import.create" */
    char *path;       /* the final path, for messages */
    char *name;       /* its last component */
    char *temporary;  /* its name before the commit, or NULL: unnamed */
};

static bool replaces(BerthTempFlags flags)
{
    return flags == BERTH_TEMP_REPLACE || flags == BERTH_TEMP_CACHE;
}

static bool fail(const BerthTemp *temp, int errnum, GError **error)
{
    berth_error_set_errno(error, errnum, temp->step, "create %s", temp->path);
    return false;
}

/* ".NAME.import-PID" */
static bool is_temporary_name(const char *name)
{
    const char *mark = name[0] == '.' ? g_strrstr(name, MARK) : NULL;
    if (mark == NULL)
        return false;
    const char *pid = mark + strlen(MARK);
    return *pid != '\0' && strspn(pid, "0123456789") == strlen(pid);
}

/* A live process holds the lock on its own file. */
static bool remove_unlocked(int directory, const char *name)
{
    berth_autofd int fd = openat(directory, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && unlinkat(directory, name, 0) == 0;
}

/* By the pid in the name alone: a lock, even for a moment, would disturb its process. */
static bool is_left(int directory, const char *name)
{
    pid_t pid = atoi(g_strrstr(name, MARK) + strlen(MARK));
    return pid > 0 && kill(pid, 0) < 0 && errno == ESRCH;
}

/* The number of temporary files in @directory for which @matches is true. */
static guint for_each(int directory, bool (*matches)(int directory, const char *name))
{
    berth_autofd int listing = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = listing < 0 ? NULL : fdopendir(listing);
    if (dir == NULL)
        return 0;
    berth_fd_steal(&listing);

    guint count = 0;
    for (struct dirent *item; (item = readdir(dir)) != NULL;)
        count += is_temporary_name(item->d_name) && matches(directory, item->d_name);
    closedir(dir);
    return count;
}

static guint for_each_in(const char *path, bool (*matches)(int directory, const char *name))
{
    berth_autofd int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return directory < 0 ? 0 : for_each(directory, matches);
}

guint berth_temp_count_left(const char *directory)
{
    return for_each_in(directory, is_left);
}

guint berth_temp_sweep(const char *directory)
{
    return for_each_in(directory, remove_unlocked);
}

static char *temporary_name(const BerthTemp *temp)
{
    return g_strdup_printf(".%s" MARK "%d", temp->name, (int)getpid());
}

/* A sweep may unlink the file between its creation and the lock, so check the link count. */
static bool create_named(BerthTemp *temp)
{
    temp->temporary = temporary_name(temp);
    for (guint tries = 0; tries < 100; tries++) {
        berth_autofd int fd =
            openat(temp->directory, temp->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0)
            break;
        struct stat status;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &status) == 0 && status.st_nlink > 0) {
            temp->fd = berth_fd_steal(&fd);
            return true;
        }
    }
    int saved = errno;
    g_clear_pointer(&temp->temporary, g_free);
    errno = saved;
    return false;
}

static bool create(BerthTemp *temp)
{
    if (temp->flags != BERTH_TEMP_NAMED) {
        temp->fd = openat(temp->directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (temp->fd >= 0)
            return true;
        if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOENT)
            return false;
    }
    return create_named(temp);
}

/* Open the directory @path is in. */
static BerthTemp *new_temp(const char *path, const char *work, GError **error)
{
    g_autofree char *step = g_strconcat(work, ".create", NULL);
    g_autoptr(BerthTemp) temp = g_new0(BerthTemp, 1);
    temp->fd = -1;
    temp->step = g_intern_string(step);
    temp->path = g_strdup(path);
    temp->name = g_path_get_basename(path);
    g_autofree char *directory = g_path_get_dirname(path);
    temp->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (temp->directory < 0)
        return fail(temp, errno, error), NULL;
    return g_steal_pointer(&temp);
}

BerthTemp *berth_temp_new_for(const char *work, const char *path, BerthTempFlags flags,
                              GError **error)
{
    g_autoptr(BerthTemp) temp = new_temp(path, work, error);
    if (temp == NULL)
        return NULL;
    if (!replaces(flags) && faccessat(temp->directory, temp->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return fail(temp, EEXIST, error), NULL;
    for_each(temp->directory, remove_unlocked);
    temp->flags = flags;
    if (!create(temp))
        return fail(temp, errno, error), NULL;
    return g_steal_pointer(&temp);
}

BerthTemp *berth_temp_new(const char *path, BerthTempFlags flags, GError **error)
{
    return berth_temp_new_for("import", path, flags, error);
}

void berth_temp_free(BerthTemp *temp)
{
    if (temp == NULL)
        return;
    if (temp->temporary != NULL)
        unlinkat(temp->directory, temp->temporary, 0);
    berth_fd_close(&temp->fd);
    berth_fd_close(&temp->directory);
    g_free(temp->path);
    g_free(temp->name);
    g_free(temp->temporary);
    g_free(temp);
}

int berth_temp_fd(const BerthTemp *temp)
{
    return temp->fd;
}

/* Link the unnamed file as @name. */
static int link_unnamed(const BerthTemp *temp, const char *name)
{
    g_autofree char *self = g_strdup_printf("/proc/self/fd/%d", temp->fd);
    return linkat(AT_FDCWD, self, temp->directory, name, AT_SYMLINK_FOLLOW);
}

/* rename() replaces atomically but needs a name, so link the unnamed file under the temporary one
 * first. The lock keeps a sweep off it. */
static int replace(BerthTemp *temp)
{
    if (temp->temporary == NULL) {
        g_autofree char *name = temporary_name(temp);
        if (flock(temp->fd, LOCK_EX | LOCK_NB) < 0 || link_unnamed(temp, name) < 0)
            return -1;
        temp->temporary = g_steal_pointer(&name);
    }
    int result = renameat(temp->directory, temp->temporary, temp->directory, temp->name);
    if (result == 0)
        g_clear_pointer(&temp->temporary, g_free);
    return result;
}

static int publish(BerthTemp *temp)
{
    if (replaces(temp->flags))
        return replace(temp);
    if (temp->temporary == NULL)
        return link_unnamed(temp, temp->name);

    int result =
        renameat2(temp->directory, temp->temporary, temp->directory, temp->name, RENAME_NOREPLACE);
    /* Some network file systems lack RENAME_NOREPLACE; link() does not replace either. */
    if (result < 0 && errno == EINVAL)
        result = linkat(temp->directory, temp->temporary, temp->directory, temp->name, 0);
    return result;
}

bool berth_temp_commit(BerthTemp *temp, GError **error)
{
    bool synced = temp->flags != BERTH_TEMP_CACHE;
    if ((synced && fdatasync(temp->fd) < 0) || publish(temp) < 0)
        return fail(temp, errno, error);
    if (temp->temporary != NULL)
        unlinkat(temp->directory, temp->temporary, 0);
    g_clear_pointer(&temp->temporary, g_free);

    /* Make the name durable. */
    if (synced && berth_fd_sync_directory(temp->directory) < 0) {
        int errnum = errno;
        if (!replaces(temp->flags))
            unlinkat(temp->directory, temp->name, 0);
        return fail(temp, errnum, error);
    }
    return true;
}
