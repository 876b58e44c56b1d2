/* SPDX-License-Identifier: MIT
 *
 * overlay_private — what the parts of an overlay share. Functions that return int return a
 * descriptor or 0, or -errno.
 */
#pragma once

#include "overlay.h"

G_BEGIN_DECLS

struct BerthOverlay {
    int dir, upper, records, work; /* O_PATH; owned */
    int claim;                     /* locked, or -1; owned */
    int lower;                     /* borrowed */
    GMutex lock;                   /* changes take turns */
    GRWLock commit;                /* a record and the upper file belong together */
    BerthOverlayCopied copied;
    gpointer copied_data;
    gint made;          /* files in work/ */
    GPtrArray *removed; /* names in work/ to remove at the end; NULL: each is removed at once */
};

typedef enum { OVERLAY_NONE, OVERLAY_COPY, OVERLAY_MERGE, OVERLAY_HIDE } OverlayKind;

/* The lower file as it was; @mode 0: there was none. */
typedef struct {
    mode_t mode;
    off_t size;
    struct timespec changed; /* its contents */
    ino_t inode;
} OverlayBase;

typedef struct {
    OverlayKind kind;
    OverlayBase base;
} OverlayRecord;

/* ---- records (record.c) ---- */

/* The record of @name in directory @parent, kind OVERLAY_NONE if there is none. */
OverlayRecord overlay_record_read(const BerthOverlay *overlay, const char *parent,
                                  const char *name);
int overlay_record_write(BerthOverlay *overlay, const char *parent, const char *name,
                         const OverlayRecord *record);
void overlay_record_remove(BerthOverlay *overlay, const char *parent, const char *name);

/* Remove the records of all below directory @path, which is not "". A directory with a record has
 * one in its parent. */
void overlay_record_remove_below(BerthOverlay *overlay, const char *path);

/* The names of the records of directory @parent, as keys; the values are OverlayKind. Free with
 * g_hash_table_unref. */
GHashTable *overlay_record_names(const BerthOverlay *overlay, const char *parent);

OverlayBase overlay_base_of(const struct stat *info);

/* ---- files (find.c, copy.c) ---- */

/* "a/b" -> "a" and "b"; "b" -> "" and "b". Free with g_free. */
char *overlay_split(const char *path, const char **ret_name);

/* A name that no file in work/ has; 32 bytes with its end. */
#define OVERLAY_NAME_SIZE 32
void overlay_work_name(BerthOverlay *overlay, char name[OVERLAY_NAME_SIZE]);

/* Copy the file @from (O_PATH, attributes @info) as @name, which is new, into @directory: contents
 * with their holes, mode, times and the attributes that are the user's. Of a directory only itself.
 * -EAGAIN: it changed meanwhile. */
int overlay_copy(int from, const struct stat *info, int directory, const char *name);

/* Give the file @to the mode, times and user's attributes of @from (O_PATH, attributes @info). */
int overlay_copy_state(int from, const struct stat *info, int to);

/* The same with all that is below the file. */
int overlay_copy_tree(int from, int directory, const char *name);

/* A name in a lower directory that the overlay does not show (BERTH_OVERLAY_ACCEPTING). */
#define OVERLAY_LOWER_NAME_SIZE 64
void overlay_lower_name(BerthOverlay *overlay, char name[OVERLAY_LOWER_NAME_SIZE]);

/* Remove @name in @directory with all below it. */
void overlay_remove_all(int directory, const char *name);

/* The same in work/: by overlay_remove_deferred after berth_overlay_defer_removals, else at once.
 */
void overlay_remove_later(BerthOverlay *overlay, const char *name);
void overlay_remove_deferred(BerthOverlay *overlay);

G_END_DECLS
