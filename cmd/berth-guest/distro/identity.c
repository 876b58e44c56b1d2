/* SPDX-License-Identifier: MIT */
#include "identity.h"

#include "edit.h"

#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOSTS_BEGIN "# berth: written at every start; network.generateHosts=false stops that\n"
#define HOSTS_END   "# berth: end\n"

#define HOSTS    "etc/hosts"
#define ZONE     "etc/localtime"
#define NEW_ZONE ZONE ".berth-new"

void identity_choose_hostname(Config *config, const Settings *settings)
{
    if (settings->hostname != NULL)
        settings_clean_hostname(settings->hostname, config->hostname);
}

int identity_set_hostname(const Config *config)
{
    if (config->hostname[0] == '\0')
        return 0;
    return sethostname(config->hostname, strlen(config->hostname)) < 0 ? -errno : 0;
}

int identity_hostname(int root, const Config *config, const Settings *settings)
{
    if (config->hostname[0] == '\0')
        return 0;
    char line[sizeof(config->hostname) + 1];
    snprintf(line, sizeof(line), "%s\n", config->hostname);
    return edit_set(root, "etc/hostname", line);
}

/* Find berth's block in @file; a block without end marker is its first line only. 1: found; 0:
 * none; -EIO: read error. */
static int find_block(FILE *file, EditRange *range)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    bool found = false;
    bool ended = false;
    for (off_t at = 0; !ended && (length = getline(&line, &room, file)) > 0; at += length) {
        if (!found && strcmp(line, HOSTS_BEGIN) == 0) {
            *range = (EditRange){at, at + length};
            found = true;
        } else if (found && strcmp(line, HOSTS_END) == 0) {
            range->end = at + length;
            ended = true;
        }
    }
    bool whole = ended || feof(file);
    free(line);
    return whole ? found : -EIO;
}

/* Whether @range of @file equals @text. */
static bool has_block(FILE *file, EditRange range, const char *text)
{
    size_t length = strlen(text);
    char *now = (size_t)(range.end - range.begin) == length ? malloc(length + 1) : NULL;
    bool same = now != NULL && pread(fileno(file), now, length, range.begin) == (ssize_t)length &&
                memcmp(now, text, length) == 0;
    free(now);
    return same;
}

static int put_block(int root, const char *text)
{
    EditRange range;
    int fd = edit_open(root, HOSTS);
    FILE *file = file_stream(fd);
    if (file == NULL)
        return fd == -ENOENT ? edit_set(root, HOSTS, text) : fd < 0 ? fd : -ENOMEM;
    int found = find_block(file, &range);
    bool same = found > 0 && has_block(file, range, text);
    fclose(file);
    if (found < 0 || same)
        return found < 0 ? found : 0;
    return found > 0 ? edit_splice(root, HOSTS, range, text) : edit_append(root, HOSTS, text);
}

int identity_hosts(int root, const Config *config, const Settings *settings)
{
    char *text = NULL;
    if (config->hostname[0] == '\0' || !settings->generate_hosts)
        return 0;
    int size = asprintf(&text,
                        HOSTS_BEGIN "127.0.0.1 localhost\n"
                                    "127.0.1.1 %s\n"
                                    "%s%s"
                                    "::1 localhost ip6-localhost ip6-loopback\n%s" HOSTS_END,
                        config->hostname, config->gateway,
                        config->gateway[0] != '\0' ? " host.berth.internal\n" : "", config->hosts);
    if (size < 0)
        return -ENOMEM;
    int result = put_block(root, text);
    free(text);
    return result;
}

/* Whether @name is an Olson name that cannot escape the directory of zones. */
static bool is_zone(const char *name)
{
    return name[0] != '\0' && name[0] != '/' && strstr(name, "..") == NULL &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-_/") ==
               strlen(name);
}

static int set_zone(int root, const char *zone)
{
    char target[PATH_MAX];
    char now[PATH_MAX];
    struct stat info;
    if (!is_zone(zone))
        return 0;
    snprintf(target, sizeof(target), "/usr/share/zoneinfo/%s", zone);
    if (faccessat(root, target + 1, R_OK, 0) < 0)
        return 0; /* a small image without zones stays in UTC */

    ssize_t size = readlinkat(root, ZONE, now, sizeof(now) - 1);
    now[size > 0 ? size : 0] = '\0';
    if (strcmp(now, target) == 0)
        return 0;
    unlinkat(root, NEW_ZONE, 0);
    if (symlinkat(target, root, NEW_ZONE) < 0 || renameat(root, NEW_ZONE, root, ZONE) < 0)
        return -errno;
    if (fstatat(root, "etc/timezone", &info, 0) < 0) /* only Debian and its derivatives have it */
        return 0;
    snprintf(target, sizeof(target), "%s\n", zone);
    return edit_set(root, "etc/timezone", target);
}

int identity_time_zone(int root, const Config *config, const Settings *settings)
{
    return settings->follow_zone ? set_zone(root, config->zone) : 0;
}

int identity_set_zone(const char *zone)
{
    int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int result = root < 0 ? -errno : set_zone(root, zone);
    if (root >= 0)
        close(root);
    return result;
}
