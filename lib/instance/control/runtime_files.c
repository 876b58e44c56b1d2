/* SPDX-License-Identifier: MIT */
#include "runtime_files.h"

#include "base/fd.h"

#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

static const struct {
    const char *name;
    bool stays; /* kept when the instance ends */
} files[] = {
    {BERTH_RUNTIME_SHARE, false},
    {BERTH_RUNTIME_CONTROL, false}, {BERTH_RUNTIME_DOCKER, false}, {BERTH_RUNTIME_MACHINE, false},
    {BERTH_RUNTIME_PORTS, false},   {BERTH_RUNTIME_RESCUE, false}, {BERTH_RUNTIME_CLOUD, false},
    {BERTH_RUNTIME_LOG, true},      {BERTH_RUNTIME_LOCK, true},    {BERTH_RUNTIME_START, true},
};

int berth_runtime_files_open(const char *dir)
{
    return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int berth_runtime_files_hold(int dir_fd, const char *name, char **ret_path)
{
    berth_autofd int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || unlinkat(dir_fd, name, 0) < 0)
        return -1;
    *ret_path = berth_fd_path(fd);
    return berth_fd_steal(&fd);
}

void berth_runtime_files_end(int dir_fd)
{
    for (gsize i = 0; dir_fd >= 0 && i < G_N_ELEMENTS(files); i++)
        if (!files[i].stays)
            unlinkat(dir_fd, files[i].name, 0);
}

void berth_runtime_files_forget(const char *dir)
{
    g_autoptr(GDir) listing = g_dir_open(dir, 0, NULL);
    const char *name;
    while (listing != NULL && (name = g_dir_read_name(listing)) != NULL) {
        g_autofree char *path = g_build_filename(dir, name, NULL);
        unlink(path);
    }
    rmdir(dir);
}
