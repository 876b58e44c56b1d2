/* SPDX-License-Identifier: MIT */
#include "defaults.h"

#include "os/file.h"
#include "os/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
    const char *path;
    mode_t mode;
} nodes[] = {
    {"/dev/fuse", 0666},    /* sshfs, rclone, fuse-overlayfs without root */
    {"/dev/net/tun", 0666}, /* the network of rootless containers */
};

/* Raised, never lowered. */
static const struct {
    const char *path;
    unsigned long least;
} limits[] = {
    {"/proc/sys/fs/inotify/max_user_watches", 524288}, /* editors watch whole trees */
    {"/proc/sys/fs/inotify/max_user_instances", 1024}, /* the systemd of each container uses some */
    /* With Docker's rules the kernel tracks each connection for two minutes after its end. The
     * default depends on memory; 8192 short connections fill it. Entries cost memory when used. */
    {"/proc/sys/net/netfilter/nf_conntrack_max", 65536},
};

static void raise_limit(const char *path, unsigned long least)
{
    char text[32];
    if (!file_read_line(path, text, sizeof(text)) || strtoul(text, NULL, 10) >= least)
        return;
    snprintf(text, sizeof(text), "%lu", least);
    int result = file_write(path, text);
    if (result < 0)
        log_line("%s: %s", path, strerror(-result));
}

void defaults_apply(void)
{
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        if (chmod(nodes[i].path, nodes[i].mode) < 0 && errno != ENOENT)
            log_line("%s: %s", nodes[i].path, strerror(errno));
    }
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        raise_limit(limits[i].path, limits[i].least);
}
