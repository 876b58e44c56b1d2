/* SPDX-License-Identifier: MIT */
#include "shares.h"

#include "carrier.h"

#include "os/file.h"
#include "os/virtio_port.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PORT_WAIT_MSEC 30000 /* reached only without a host, as in boot.c */
#define READ_AHEAD_KB  "1024"
#define READ_MAX       131072u /* of an answer of berth-share: share_private.h */

/* "/mnt/" and "/mnt" are the same, and "" is "/". */
static int make_root(Shares *shares, const char *directory)
{
    size_t length = strlen(directory);
    while (length > 0 && directory[length - 1] == '/')
        length--;
    int size =
        snprintf(shares->root, sizeof(shares->root), "%.*s/" SHARES_NAME, (int)length, directory);
    if (size < 0 || (size_t)size >= sizeof(shares->root) || shares->root[0] != '/')
        return -EINVAL;
    return file_make_directories(shares->root, 0755);
}

/* @fuse answers for the mount. The host's permissions hold, since its kernel checks them again. */
static int mount_on(const char *root, int fuse)
{
    char options[128];
    snprintf(options, sizeof(options),
             "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions,"
             "max_read=%u",
             fuse, READ_MAX);
    int flags = MS_NOSUID | MS_NODEV;
    return mount("berth", root, "fuse.berth", (unsigned long)flags, options) < 0 ? -errno : 0;
}

/* The carrier's. */
typedef struct {
    const char *root;
    int link; /* to the agent */
} Mount;

static void tell_agent(const Mount *mount, CarrierWord word)
{
    const CarrierMessage message = {.word = word};
    send(mount->link, &message, sizeof(message), MSG_NOSIGNAL); /* or the machine ends */
}

static void on_lost(void *data)
{
    tell_agent(data, CARRIER_LOST);
}

static void on_found(void *data)
{
    tell_agent(data, CARRIER_FOUND);
}

/* Read further ahead, in several requests at once: an answer comes from far away. The kernel limits
 * this to 128 KiB when it has the answer to INIT. statx asks no server, since its answers come
 * through this thread. */
static void on_mounted(void *data)
{
    const Mount *mount = data;
    struct statx found;
    char path[64];
    if (statx(AT_FDCWD, mount->root, AT_STATX_DONT_SYNC, 0, &found) < 0)
        return;
    snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb", found.stx_dev_major,
             found.stx_dev_minor);
    file_write(path, READ_AHEAD_KB);
}

__attribute__((noreturn)) static void carry(int fuse, int port, int link, const char *root)
{
    Mount mount = {root, link};
    const Carrier carrier = {.fuse = fuse,
                             .port = port,
                             .agent = link,
                             .root = root,
                             .mounted = on_mounted,
                             .lost = on_lost,
                             .found = on_found,
                             .data = &mount};
    carrier_run(&carrier);
    _exit(EXIT_FAILURE);
}

static int fork_carrier(Shares *shares, int fuse, int port, void (*become)(void *data), void *data)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        become(data);
        carry(fuse, port, pair[1], shares->root);
    }
    int problem = errno;
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return -problem;
    }
    shares->link = pair[0];
    shares->wants_server = true;
    shares->carrier = (int)syscall(SYS_pidfd_open, pid, 0);
    return shares->carrier < 0 ? -errno : 0;
}

static int mount_with(Shares *shares, const char *directory, int port, void (*become)(void *data),
                      void *data, const char **ret_what)
{
    *ret_what = "/dev/fuse";
    int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fuse < 0)
        return -errno;
    *ret_what = "automount.root";
    int result = make_root(shares, directory);
    if (result == 0) {
        *ret_what = "mount";
        result = mount_on(shares->root, fuse);
    }
    if (result == 0) {
        *ret_what = "fork";
        result = fork_carrier(shares, fuse, port, become, data);
        if (result < 0)
            umount2(shares->root, MNT_DETACH);
    }
    close(fuse);
    return result;
}

int shares_mount(Shares *shares, const char *directory, void (*become)(void *data), void *data,
                 const char **ret_what)
{
    *ret_what = WIRE_SHARE_NAME;
    int port = port_open(WIRE_SHARE_NAME, PORT_WAIT_MSEC);
    if (port < 0)
        return port;
    int result = mount_with(shares, directory, port, become, data, ret_what);
    close(port);
    return result;
}

void shares_report(const Shares *shares, WireBuffer *out)
{
    if (!shares->wants_server)
        return;
    size_t begin = wire_frame_begin(out, WIRE_SHARE, 0, 0);
    wire_put_u32(out, shares->uid);
    wire_put_u32(out, shares->gid);
    wire_put_string(out, shares->root);
    wire_frame_end(out, begin);
}

bool shares_say(const Shares *shares, CarrierWord word, uint32_t number)
{
    const CarrierMessage message = {word, number};
    return shares->link >= 0 && send(shares->link, &message, sizeof(message),
                                     MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(message);
}

void shares_end(Shares *shares)
{
    if (shares->carrier < 0)
        return;
    syscall(SYS_pidfd_send_signal, shares->carrier, SIGKILL, NULL, 0);
    umount2(shares->root, MNT_FORCE | MNT_DETACH); /* force: see carrier_end */
    close(shares->carrier);
    shares->carrier = -1;
}
