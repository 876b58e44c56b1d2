/* SPDX-License-Identifier: MIT
 *
 * berth_file — copies of files between this host and distros, and single files of a distro. A
 * part of the public interface (berth.h).
 */
#pragma once

#include "berth_instance.h"

G_BEGIN_DECLS

typedef struct {
    const char *const *sources; /* paths, NULL-terminated; a relative one of a distro starts at the
                                   user's home there */
    int source_connection;      /* of berth_connect, to the distro they are in; -1: this host */
    const char *source_name;    /* of that distro, for messages */
    const char *target; /* as cp(1) has it: an existing directory, or what the one source becomes */
    int target_connection;
    const char *target_name;
    const char *user; /* in the distros; NULL: the default user */
    bool recursive;   /* directories, with all that is in them */
    BerthWorkFunc progress;
    /* A line for the user about an entry. From any thread. */
    void (*line)(const char *text, gpointer user_data);
    gpointer user_data;
} BerthCopy;

/* Copy files between this host and distros. Permissions, times, links, holes and extended
 * attributes of users are kept; the files belong to this user, or to the distro's. What cannot be
 * copied is reported and the rest goes on. The connections are used up. Ignore SIGPIPE before.
 * Errors: "cp.*", "session.*". */
bool berth_copy_files(const BerthCopy *copy, GError **error);

typedef struct {
    int connection;   /* of berth_connect, used up by the call */
    const char *name; /* of the distro, for messages */
    const char *user; /* NULL: the default user */
    const char *path; /* a relative one starts in the user's home */
} BerthFile;

/* Write the size of a distro's file in decimal, a newline and up to @limit bytes from @offset to
 * @output. Errors: "file.open.*", "file.special", "file.read.*", "session.*". */
bool berth_file_read(const BerthFile *file, guint64 offset, guint64 limit, int output,
                     GError **error);

/* Replace or create a distro's file at once with @size bytes of @input; mode and owner stay.
 * Errors: also "file.write.*", "file.input". */
bool berth_file_write(const BerthFile *file, int input, guint64 size, GError **error);

G_END_DECLS
