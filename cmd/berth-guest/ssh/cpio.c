/* SPDX-License-Identifier: MIT */
#include "cpio.h"

#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC       "070701"
#define TRAILER     "TRAILER!!!"
#define HEADER_SIZE 110
#define FIELD_SIZE  8
#define ALIGNMENT   4

/* Fields of a header, by their position behind the magic. Source: the kernel's
 * Documentation/driver-api/early-userspace/buffer-format.rst. */
enum { FIELD_MODE = 1, FIELD_FILE_SIZE = 6, FIELD_NAME_SIZE = 11 };

typedef struct {
    int fd;
    unsigned long at;   /* offset in the archive */
    unsigned long left; /* bytes that files may still have */
} Archive;

typedef struct {
    mode_t mode;
    unsigned long size;
    char name[PATH_MAX];
} Entry;

static int read_bytes(Archive *archive, void *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = read(archive->fd, (char *)bytes + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EBADMSG;
        done += (size_t)got;
        archive->at += (unsigned long)got;
    }
    return 0;
}

static int skip_padding(Archive *archive)
{
    char padding[ALIGNMENT];
    return read_bytes(archive, padding, -archive->at % ALIGNMENT);
}

static unsigned long field(const char *header, int index)
{
    char digits[FIELD_SIZE + 1] = {0};
    memcpy(digits, header + strlen(MAGIC) + (size_t)index * FIELD_SIZE, FIELD_SIZE);
    return strtoul(digits, NULL, 16);
}

/* Whether @name stays below the directory. */
static bool is_inside(const char *name)
{
    if (name[0] == '/' || name[0] == '\0')
        return false;
    for (const char *part = name; part != NULL; part = strchr(part, '/')) {
        part += part[0] == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
            return false;
    }
    return true;
}

static int read_entry(Archive *archive, Entry *entry)
{
    char header[HEADER_SIZE];
    int result = read_bytes(archive, header, sizeof(header));
    if (result < 0)
        return result;
    unsigned long name_size = field(header, FIELD_NAME_SIZE);
    entry->mode = (mode_t)field(header, FIELD_MODE);
    entry->size = field(header, FIELD_FILE_SIZE);
    if (memcmp(header, MAGIC, strlen(MAGIC)) != 0 || name_size < 2 ||
        name_size > sizeof(entry->name) || entry->size > archive->left)
        return -EBADMSG;
    archive->left -= entry->size;
    result = read_bytes(archive, entry->name, name_size);
    if (result == 0)
        result = skip_padding(archive);
    if (result == 0 && (entry->name[name_size - 1] != '\0' || !is_inside(entry->name)))
        result = -EBADMSG;
    return result;
}

static int copy_content(Archive *archive, int to, unsigned long size)
{
    char buffer[65536];
    while (size > 0) {
        size_t part = size < sizeof(buffer) ? size : sizeof(buffer);
        int result = read_bytes(archive, buffer, part);
        if (result == 0)
            result = file_write_all(to, buffer, part);
        if (result < 0)
            return result;
        size -= part;
    }
    return skip_padding(archive);
}

static int unpack_file(Archive *archive, int directory, const Entry *entry)
{
    int fd = openat(directory, entry->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    entry->mode & 0777);
    if (fd < 0)
        return -errno;
    int result = copy_content(archive, fd, entry->size);
    if (result == 0 && fchmod(fd, entry->mode & 0777) < 0)
        result = -errno;
    close(fd);
    return result;
}

static int unpack_entry(Archive *archive, int directory, const Entry *entry)
{
    if (S_ISREG(entry->mode))
        return unpack_file(archive, directory, entry);
    if (!S_ISDIR(entry->mode) || entry->size != 0)
        return -EBADMSG;
    return mkdirat(directory, entry->name, entry->mode & 0777) < 0 ? -errno : 0;
}

int cpio_unpack(int fd, int directory, unsigned long size_max)
{
    Archive archive = {.fd = fd, .left = size_max};
    for (;;) {
        Entry entry;
        int result = read_entry(&archive, &entry);
        if (result == 0 && strcmp(entry.name, TRAILER) == 0)
            return 0;
        if (result == 0)
            result = unpack_entry(&archive, directory, &entry);
        if (result < 0)
            return result;
    }
}
