/* SPDX-License-Identifier: MIT */
#include "overlay_private.h"

#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT_SIZE 128u

static const char kind_letters[] = {
    [OVERLAY_NONE] = '?', [OVERLAY_COPY] = 'c', [OVERLAY_MERGE] = 'm', [OVERLAY_HIDE] = 'h'};

OverlayBase overlay_base_of(const struct stat *info)
{
    return (OverlayBase){.mode = info->st_mode,
                         .size = S_ISDIR(info->st_mode) ? 0 : info->st_size,
                         .changed = info->st_mtim,
                         .inode = info->st_ino};
}

static OverlayRecord parse(const char *text)
{
    char letter;
    unsigned mode;
    intmax_t size, seconds;
    long nanoseconds;
    uintmax_t inode;
    OverlayRecord record = {OVERLAY_NONE};
    if (sscanf(text, "%c %o %jd %jd.%ld %ju", &letter, &mode, &size, &seconds, &nanoseconds,
               &inode) != 6)
        return record;
    for (OverlayKind kind = OVERLAY_COPY; kind <= OVERLAY_HIDE; kind++)
        if (kind_letters[kind] == letter)
            record.kind = kind;
    record.base = (OverlayBase){mode, (off_t)size, {seconds, nanoseconds}, (ino_t)inode};
    return record;
}

/* Open the directory with the records of @parent; @makes: make it if it is missing. */
static int open_records(const BerthOverlay *overlay, const char *parent, bool makes)
{
    g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, parent, -1);
    if (makes && mkdirat(overlay->records, sum, 0700) < 0 && errno != EEXIST)
        return -errno;
    int fd = openat(overlay->records, sum, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static OverlayRecord read_at(int directory, const char *name)
{
    char text[TEXT_SIZE];
    ssize_t size = readlinkat(directory, name, text, sizeof(text) - 1);
    text[size > 0 ? size : 0] = '\0';
    return parse(text);
}

OverlayRecord overlay_record_read(const BerthOverlay *overlay, const char *parent, const char *name)
{
    berth_autofd int directory = open_records(overlay, parent, false);
    return directory < 0 ? (OverlayRecord){OVERLAY_NONE} : read_at(directory, name);
}

int overlay_record_write(BerthOverlay *overlay, const char *parent, const char *name,
                         const OverlayRecord *record)
{
    char text[TEXT_SIZE], work[OVERLAY_NAME_SIZE];
    const OverlayBase *base = &record->base;
    snprintf(text, sizeof(text), "%c %o %jd %jd.%09ld %ju", kind_letters[record->kind], base->mode,
             (intmax_t)base->size, (intmax_t)base->changed.tv_sec, base->changed.tv_nsec,
             (uintmax_t)base->inode);
    overlay_work_name(overlay, work);
    berth_autofd int directory = open_records(overlay, parent, true);
    if (directory < 0)
        return directory;
    if (symlinkat(text, overlay->work, work) < 0)
        return -errno;
    if (renameat(overlay->work, work, directory, name) == 0)
        return 0;
    int problem = errno;
    unlinkat(overlay->work, work, 0);
    return -problem;
}

void overlay_record_remove(BerthOverlay *overlay, const char *parent, const char *name)
{
    berth_autofd int directory = open_records(overlay, parent, false);
    if (directory >= 0)
        unlinkat(directory, name, 0);
}

void overlay_record_remove_below(BerthOverlay *overlay, const char *path)
{
    g_autoptr(GHashTable) names = overlay_record_names(overlay, path);
    g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, path, -1);
    GHashTableIter iter;
    gpointer name;
    g_hash_table_iter_init(&iter, names);
    while (g_hash_table_iter_next(&iter, &name, NULL)) {
        g_autofree char *child = g_strconcat(path, "/", name, NULL);
        overlay_record_remove_below(overlay, child);
        overlay_record_remove(overlay, path, name);
    }
    unlinkat(overlay->records, sum, AT_REMOVEDIR);
}

GHashTable *overlay_record_names(const BerthOverlay *overlay, const char *parent)
{
    GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    berth_autofd int directory = open_records(overlay, parent, false);
    int fd = directory < 0 ? -1 : berth_fd_reopen(directory, O_RDONLY | O_DIRECTORY);
    DIR *listing = fd < 0 ? NULL : fdopendir(fd);
    for (struct dirent *found; listing != NULL && (found = readdir(listing)) != NULL;) {
        OverlayKind kind = read_at(directory, found->d_name).kind; /* none: "." and ".." */
        if (kind != OVERLAY_NONE)
            g_hash_table_insert(names, g_strdup(found->d_name), GINT_TO_POINTER(kind));
    }
    if (listing != NULL)
        closedir(listing);
    return names;
}
