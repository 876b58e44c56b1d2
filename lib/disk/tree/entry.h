/* SPDX-License-Identifier: MIT
 *
 * entry — one entry of an archive, and its normalisation.
 *
 * The reader (tar.h) fills a BerthEntry with the archive's raw values. berth_entry_normalise()
 * makes it valid for a root file system or rejects it: the tree and the writer see normalised
 * entries only, so hostile and broken archives stop here.
 *
 * Names are bytes: any but NUL, in no particular encoding. Sizes are bytes, times seconds since
 * 1970 with nanoseconds. An entry owns its members.
 *
 * Errors: BERTH_ERROR_INVALID with ids "import.entry.*". The messages do not name the entry;
 * callers prefix it (berth_text_escape).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

G_BEGIN_DECLS

typedef enum {
    BERTH_ENTRY_FILE,
    BERTH_ENTRY_DIRECTORY,
    BERTH_ENTRY_SYMLINK,
    BERTH_ENTRY_HARDLINK,
    BERTH_ENTRY_CHAR_DEVICE,
    BERTH_ENTRY_BLOCK_DEVICE,
    BERTH_ENTRY_FIFO,
    BERTH_ENTRY_SOCKET,
} BerthEntryType;

typedef struct {
    gint64 sec;
    guint32 nsec; /* 0..999999999, also before 1970: -1.5 s is {-2, 500000000} */
} BerthTime;

enum { BERTH_TIME_MODIFIED, BERTH_TIME_ACCESSED, BERTH_TIME_CHANGED, BERTH_TIME_BORN, BERTH_TIMES };

typedef struct {
    char *name; /* with its namespace: "user.note", "security.capability" */
    GBytes *value;
} BerthXattr;

/* An ACL line for a user or group whose id the archive does not give. */
typedef struct {
    char *name;
    guint16 tag; /* as in BerthAclEntry */
    guint16 permissions;
    bool is_default;
} BerthAclName;

typedef struct {
    BerthEntryType type;
    char *path;   /* normalised: no leading, double or trailing slash; "" is the root */
    char *target; /* symlinks: verbatim; hard links: normalised like path; else NULL */
    guint32 mode; /* normalised: permission bits only */
    gint64 uid;
    gint64 gid;
    gint64 size;
    bool sparse; /* the archive stores holes: data may be much smaller than size */
    bool nodump; /* the only file flag kept */
    gint64 major;
    gint64 minor;
    BerthTime times[BERTH_TIMES];
    bool has_time[BERTH_TIMES]; /* normalised: all true */
    GArray *xattrs;             /* BerthXattr; normalised: sorted by name. NULL for none */
    GArray *acl_names;          /* BerthAclName, owned; NULL for none */
    guint dropped_acls;         /* ACL entries the reader could not express */
    guint dropped_flags;        /* file flags other than nodump */
} BerthEntry;

/* Counts, over a whole archive, of metadata dropped by reader and normalisation. */
typedef struct {
    guint xattrs; /* xattrs invalid on that file type, or without room in ext4 */
    guint acls;   /* invalid ACLs, lines for unknown names, NFSv4 ACLs */
    guint times;  /* times outside ext4's 1901..2446, clamped */
    guint flags;  /* file flags other than nodump: an immutable file would break upgrades */
} BerthDropped;

/* Tags and permissions as Linux numbers them. */
typedef struct {
    guint16 tag;
    guint16 permissions;
    guint32 id;
} BerthAclEntry;

void berth_entry_clear(BerthEntry *entry);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthEntry, berth_entry_clear)

/* Add an attribute unless the entry already has one of that name. */
void berth_entry_add_xattr(BerthEntry *entry, const char *name, const void *value, gsize size);

/* Add a POSIX ACL as the attribute Linux keeps it in. @acl is sorted in place. */
void berth_entry_add_acl(BerthEntry *entry, bool is_default, GArray *acl);

/* Add an ACL line for @name, whose id is resolved later. */
void berth_entry_add_acl_name(BerthEntry *entry, const char *name, const BerthAclEntry *line,
                              bool is_default);

/* Normalise @entry or reject it. Adds what was dropped to @dropped. */
bool berth_entry_normalise(BerthEntry *entry, BerthDropped *dropped, GError **error);

G_END_DECLS
