/* SPDX-License-Identifier: MIT
 *
 * fstab — finds entries of /etc/fstab and /etc/crypttab whose devices this machine cannot have. An
 * image of another machine's disk names that machine's file systems by UUID, label or device; here
 * there is one disk, mounted on /.
 *
 * Paths are relative to the directory @root, a distro's /, which is only read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A line of either file. Strings are valid until the next line; fstab's octal escapes are resolved;
 * missing fields are "". */
typedef struct {
    unsigned number; /* from 1 */
    const char *source;
    const char *target; /* crypttab: the mapped name */
    const char *type;
    const char *options;
    const char *text; /* the whole line, with its newline */
    bool is_entry;    /* not blank, not a comment */
    bool is_root;     /* the entry of / */
    bool is_absent;   /* used at boot, but its source cannot exist */
    bool may_fail;    /* nofail: no notice is needed */
} FstabLine;

typedef void (*FstabEach)(void *data, const FstabLine *line);

/* Call @each for each line of etc/fstab, or of etc/crypttab, in order. A missing file has no
 * lines. */
void fstab_each(int root, FstabEach each, void *data);
void fstab_each_crypt(int root, FstabEach each, void *data);

/* Whether @options, a comma-separated list, contains @word. */
bool fstab_has_option(const char *options, const char *word);

/* Resolve UUID=..., LABEL=... to the path below /dev/disk ("/dev/disk/by-uuid/..."); copy other
 * sources. False: it does not fit @size, or needs udev's encoding. */
bool fstab_device(const char *source, char *path, size_t size);
