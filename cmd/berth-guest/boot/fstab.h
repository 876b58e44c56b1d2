/* SPDX-License-Identifier: MIT
 *
 * fstab — what /etc/fstab and /etc/crypttab of an image name that this machine cannot have. An
 * image that was a disk of another machine names that one's file systems by UUID, label or device;
 * here there is one disk, which is / and is mounted already.
 *
 * Paths are relative to the directory @root, a distro's /, which is only read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A line of either file. Strings are the reader's until the next line, with fstab's octal escapes
 * resolved; fields that a line lacks are "". */
typedef struct {
    unsigned number; /* from 1 */
    const char *source;
    const char *target; /* crypttab: the name */
    const char *type;
    const char *options;
    const char *text; /* the whole line, with its end */
    bool is_entry;    /* not blank, not a comment */
    bool is_root;     /* the entry of / */
    bool is_absent;   /* an entry that is used at boot and whose source cannot be there */
    bool may_fail;    /* nofail: the owner expects it */
} FstabLine;

typedef void (*FstabEach)(void *data, const FstabLine *line);

/* Call @each for the lines of etc/fstab, or of etc/crypttab, in their order. No file, no call. */
void fstab_each(int root, FstabEach each, void *data);
void fstab_each_crypt(int root, FstabEach each, void *data);

/* Whether @options, a list with commas, has @word. */
bool fstab_has_option(const char *options, const char *word);

/* The path below /dev/disk that UUID=..., LABEL=... stand for ("/dev/disk/by-uuid/..."), or @source
 * itself. False: it does not fit @size, or needs an encoding. */
bool fstab_device(const char *source, char *path, size_t size);
