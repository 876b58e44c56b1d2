/* SPDX-License-Identifier: MIT */
#include "settings_file.h"

#include "base/error.h"
#include "base/fd.h"
#include "disk/file/temp.h"
#include "model/settings.h"
#include "model/settings_edit.h"
#include "store/template.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEP "config.write"

static bool set_errno(GError **error, const char *path)
{
    if (errno == EACCES || errno == EROFS || errno == EPERM)
        berth_error_set(error, BERTH_ERROR_DENIED, STEP ".read-only",
                        "make the file and its directory writable, or edit it where it is made",
                        "%s: cannot be written: %s", path, g_strerror(errno));
    else
        berth_error_set_errno(error, errno, STEP, "%s", path);
    return false;
}

/* Wait for the lock of @fd's file, which every writer takes; the close of @fd ends it. */
static bool lock(int fd, const char *path, GError **error)
{
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    while (fcntl(fd, F_OFD_SETLKW, &all) < 0)
        if (errno != EINTR)
            return set_errno(error, path);
    return true;
}

/* Neither a FIFO nor a device is opened for good: the open does not wait. */
static int open_file(const char *path, bool create, GError **error)
{
    berth_autofd int fd =
        open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (create ? O_CREAT : 0), 0600);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        set_errno(error, path);
        return -1;
    }
    if (S_ISREG(st.st_mode))
        return berth_fd_steal(&fd);
    berth_error_set(error, BERTH_ERROR_INVALID, STEP, NULL, "%s: not a regular file", path);
    return -1;
}

/* Open the file and lock it. While this waits for the lock, the file may be replaced: then the new
 * one is what must be locked. */
static int open_locked(const char *path, bool create, GError **error)
{
    for (;;) {
        berth_autofd int fd = open_file(path, create, error);
        if (fd < 0 || !lock(fd, path, error))
            return -1;
        if (berth_fd_is_path(fd, path))
            return berth_fd_steal(&fd);
    }
}

/* The new file is the user's alone until it has the owner and the mode of the old one. */
static bool keep_access(int fd, int old)
{
    struct stat st;
    struct stat now;
    if (fstat(old, &st) < 0 || fstat(fd, &now) < 0)
        return false;
    if ((st.st_uid != now.st_uid || st.st_gid != now.st_gid) &&
        fchown(fd, st.st_uid, st.st_gid) < 0)
        return false;
    return fchmod(fd, st.st_mode & 07777) == 0;
}

static bool replace(const char *path, int old, const char *text, GError **error)
{
    g_autofree char *target = realpath(path, NULL);
    if (target == NULL)
        return set_errno(error, path);
    if (access(target, W_OK) < 0)
        return set_errno(error, path);
    g_autoptr(BerthTemp) temp = berth_temp_new_for("config", target, BERTH_TEMP_REPLACE, error);
    if (temp == NULL)
        return false;
    if (berth_fd_write_all(berth_temp_fd(temp), text, strlen(text)) < 0 ||
        !keep_access(berth_temp_fd(temp), old))
        return set_errno(error, path);
    return berth_temp_commit(temp, error);
}

/* Whether the file is there, even as a link whose end is missing. */
static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 || errno != ENOENT;
}

/* @old with all edits. */
static char *apply(const char *old, const char *distro, BerthSettingsFileEdit *edits, gsize n_edits)
{
    char *text = g_strdup(old);
    for (gsize i = 0; i < n_edits; i++) {
        char *next = berth_settings_edit(text, distro, edits[i].key, edits[i].value);
        edits[i].changed = strcmp(next, text) != 0;
        g_free(text);
        text = next;
    }
    return text;
}

static bool edit(const char *path, const char *distro, bool create, BerthSettingsFileEdit *edits,
                 gsize n_edits, GError **error)
{
    berth_autofd int fd = open_locked(path, create, error);
    g_autofree char *old = NULL;
    if (fd < 0 || !berth_template_read_settings_from(fd, path, &old, error))
        return false;
    g_autoptr(GKeyFile) valid = berth_settings_parse(berth_settings_begin(old), path, error);
    if (valid == NULL)
        return false;
    g_autofree char *text = apply(old, distro, edits, n_edits);
    return strcmp(old, text) == 0 || replace(path, fd, text, error);
}

bool berth_settings_file_set(const BerthLayout *layout, const char *distro,
                             BerthSettingsFileEdit *edits, gsize n_edits, GError **error)
{
    g_autofree char *path = berth_layout_settings(layout);
    bool create = false;
    for (gsize i = 0; i < n_edits; i++)
        create = create || edits[i].value != NULL;
    if (!create && !exists(path))
        return true;
    return (!create || berth_layout_make(layout->config, error)) &&
           edit(path, distro, create, edits, n_edits, error);
}
