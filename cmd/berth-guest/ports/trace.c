/* SPDX-License-Identifier: MIT */
#include "trace.h"

#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define INSTANCE "instances/berth"
#define EVENT    INSTANCE "/events/sock/inet_sock_set_state"
#define LISTEN   "newstate == 10 || oldstate == 10" /* TCP_LISTEN */

/* Mount a new @type without attaching it to a path. Its descriptor, or -1 with errno. */
static int mount_detached(const char *type)
{
    int context = fsopen(type, FSOPEN_CLOEXEC);
    if (context < 0)
        return -1;
    int mount = -1;
    if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        mount = fsmount(context, FSMOUNT_CLOEXEC, 0);
    int problem = errno;
    close(context);
    errno = problem;
    return mount;
}

/* Enable one event in a small buffer that wakes its reader at the first event, not when half
 * full. */
static int set_up(int tracefs)
{
    static const struct {
        const char *path;
        const char *text;
    } settings[] = {
        {INSTANCE "/buffer_size_kb", "16"},
        {INSTANCE "/buffer_percent", "0"},
        {EVENT "/filter", LISTEN},
        {EVENT "/enable", "1"},
    };
    if (mkdirat(tracefs, INSTANCE, 0700) < 0 && errno != EEXIST)
        return -errno;
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        int result = file_write_at(tracefs, settings[i].path, settings[i].text);
        if (result < 0)
            return result;
    }
    return 0;
}

int trace_open_listen_events(void)
{
    int tracefs = mount_detached("tracefs");
    if (tracefs < 0)
        return -1;
    int result = set_up(tracefs);
    int fd = -1;
    if (result == 0) {
        fd = openat(tracefs, INSTANCE "/trace_pipe", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        result = fd < 0 ? -errno : 0;
    }
    close(tracefs);
    errno = -result;
    return fd;
}
