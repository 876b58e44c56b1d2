/* SPDX-License-Identifier: MIT
 *
 * tarball — writes valid and malformed tar archives byte by byte, without the libraries of the code
 * under test.
 */
#pragma once

#include <glib.h>

typedef struct {
    const char *path;
    char type; /* '0' file (the default), '1' hard link, '2' symlink, '3' '4' devices, '5' dir, '6'
                  fifo */
    const char *target;
    guint mode;
    gint64 uid;
    gint64 gid;
    gint64 mtime;
    const void *data;
    gsize size; /* 0 with data: its strlen */
    guint major;
    guint minor;
    const char *const *pax; /* key, value, ..., NULL: records of a PAX header before the entry */
} TarballItem;

#define TARBALL_ADD(tarball, ...) tarball_add((tarball), &(TarballItem){__VA_ARGS__})

/* Append an entry. Paths beyond 100 bytes and numbers beyond octal get PAX records of their own. */
void tarball_add(GByteArray *tarball, const TarballItem *item);

/* Append a PAX header with one record whose value may hold any bytes. */
void tarball_add_pax(GByteArray *tarball, const char *key, const void *value, gsize size);

/* Overwrite bytes of the header at @header, and update its checksum. */
void tarball_patch(GByteArray *tarball, gsize header, gsize offset, const void *bytes, gsize size);

/* Append the two zero blocks. */
void tarball_end(GByteArray *tarball);

/* A minimal valid root file system: etc/ and etc/os-release. */
GByteArray *tarball_new_rootfs(void);

/* Open the bytes as a file to read; close it. */
int tarball_open(const GByteArray *tarball);

/* Filter the bytes through the program @argv (NULL-terminated). */
GByteArray *tarball_filter(const GByteArray *tarball, const char *const *argv);
