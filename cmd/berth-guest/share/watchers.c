/* SPDX-License-Identifier: MIT */
#include "watchers.h"

#include "os/file.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define FUSE_HANDLE   "fhandle-type:81 f_handle:" /* FILEID_INO64_GEN */
#define WORD_DIGITS   8
#define KERNEL_MINORS 20 /* bits of a device number, as the kernel prints it */
#define INOTIFY       "anon_inode:inotify"
#define OWN_PROGRAMS  "berth-" /* berth-fsmonitor watches for git, which asks it when it runs */
#define LINE_SIZE     512

/* A number of the handle: its bytes in memory, in hex. */
static bool parse_word(const char *digits, uint32_t *ret_word)
{
    uint8_t bytes[sizeof(uint32_t)];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        unsigned byte;
        if (!isxdigit((unsigned char)digits[2 * i]) || sscanf(digits + 2 * i, "%2x", &byte) != 1)
            return false;
        bytes[i] = (uint8_t)byte;
    }
    memcpy(ret_word, bytes, sizeof(bytes));
    return true;
}

bool watchers_parse(const char *line, dev_t device, Watcher *ret_watcher)
{
    unsigned number, mask;
    uint32_t high, low;
    const char *handle = strstr(line, FUSE_HANDLE);
    if (handle == NULL || strlen(handle) < strlen(FUSE_HANDLE) + 2 * WORD_DIGITS ||
        sscanf(line, "inotify wd:%*x ino:%*x sdev:%x mask:%x", &number, &mask) != 2)
        return false;
    handle += strlen(FUSE_HANDLE);
    if (number != (major(device) << KERNEL_MINORS | minor(device)) || !parse_word(handle, &high) ||
        !parse_word(handle + WORD_DIGITS, &low))
        return false;
    *ret_watcher = (Watcher){.node = (uint64_t)high << 32 | low, .mask = mask};
    return true;
}

/* The watches of the inotify descriptor that @path, an fdinfo, tells of. */
static size_t read_watches(int process, const char *path, dev_t device, Watcher *watchers,
                           size_t room)
{
    char line[LINE_SIZE];
    size_t n = 0;
    FILE *file = file_stream(openat(process, path, O_RDONLY | O_CLOEXEC));
    if (file == NULL)
        return 0;
    while (n < room && fgets(line, sizeof(line), file) != NULL)
        n += watchers_parse(line, device, &watchers[n]);
    fclose(file);
    return n;
}

static bool link_is(int directory, const char *path, const char *wanted)
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(directory, path, target, sizeof(target));
    return length == (ssize_t)strlen(wanted) && memcmp(target, wanted, (size_t)length) == 0;
}

static bool is_own(int process)
{
    char name[sizeof(OWN_PROGRAMS)];
    return file_read_line_at(process, "comm", name, sizeof(name)) &&
           strcmp(name, OWN_PROGRAMS) == 0;
}

static size_t list_process(int process, dev_t device, Watcher *watchers, size_t room)
{
    char path[PATH_MAX];
    size_t n = 0;
    int fds = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fds < 0 ? NULL : fdopendir(fds);
    const struct dirent *entry;
    if (directory == NULL && fds >= 0)
        close(fds);
    while (directory != NULL && n < room && (entry = readdir(directory)) != NULL) {
        if (!isdigit((unsigned char)entry->d_name[0]) || !link_is(fds, entry->d_name, INOTIFY))
            continue;
        snprintf(path, sizeof(path), "fdinfo/%s", entry->d_name);
        n += read_watches(process, path, device, watchers + n, room - n);
    }
    if (directory != NULL)
        closedir(directory);
    return n;
}

static int compare_nodes(const void *a, const void *b)
{
    const Watcher *one = a, *other = b;
    return (one->node > other->node) - (one->node < other->node);
}

/* Sort @n watchers, and make one of those of a node. */
static size_t merge(Watcher *watchers, size_t n)
{
    size_t kept = 0;
    qsort(watchers, n, sizeof(*watchers), compare_nodes);
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && watchers[kept - 1].node == watchers[i].node)
            watchers[kept - 1].mask |= watchers[i].mask;
        else
            watchers[kept++] = watchers[i];
    }
    return kept;
}

size_t watchers_list(const char *proc, dev_t device, Watcher *watchers)
{
    size_t n = 0;
    DIR *processes = opendir(proc);
    const struct dirent *entry;
    while (processes != NULL && n < WATCHERS_MAX && (entry = readdir(processes)) != NULL) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        int process = openat(dirfd(processes), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (process < 0)
            continue;
        if (!is_own(process))
            n += list_process(process, device, watchers + n, WATCHERS_MAX - n);
        close(process);
    }
    if (processes != NULL)
        closedir(processes);
    return merge(watchers, n);
}
