/* SPDX-License-Identifier: MIT */
#include "quota.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGITS 20 /* of G_MAXUINT64 */

struct BerthQuota {
    GMutex turn;
    GMutex lock; /* of all below but limit and fd */
    guint64 limit;
    guint64 linked;      /* bytes of files with names */
    guint64 orphaned;    /* the sum of orphans */
    GHashTable *orphans; /* BerthNodeKey -> guint64, both owned */
    int fd;              /* the file that keeps linked, or -1 */
};

static guint hash_key(gconstpointer data)
{
    const BerthNodeKey *key = data;
    const guint64 inode = key->inode;
    return g_int64_hash(&inode);
}

static gboolean equal_keys(gconstpointer a, gconstpointer b)
{
    const BerthNodeKey *one = a, *other = b;
    return one->inode == other->inode && one->device == other->device &&
           one->birth_nsec == other->birth_nsec;
}

BerthQuota *berth_quota_new(guint64 limit)
{
    BerthQuota *quota = g_new0(BerthQuota, 1);
    g_mutex_init(&quota->turn);
    g_mutex_init(&quota->lock);
    quota->limit = limit;
    quota->orphans = g_hash_table_new_full(hash_key, equal_keys, g_free, g_free);
    quota->fd = -1;
    return quota;
}

void berth_quota_free(BerthQuota *quota)
{
    if (quota == NULL)
        return;
    berth_fd_close(&quota->fd);
    g_hash_table_unref(quota->orphans);
    g_mutex_clear(&quota->lock);
    g_mutex_clear(&quota->turn);
    g_free(quota);
}

/* ---- the file ---- */

/* A full file system may refuse; the next change writes the count again. */
static void store(const BerthQuota *quota)
{
    char text[DIGITS + 2];
    if (quota->fd < 0)
        return;
    g_snprintf(text, sizeof(text), "%0*" G_GUINT64_FORMAT "\n", DIGITS, quota->linked);
    ssize_t written = pwrite(quota->fd, text, DIGITS + 1, 0);
    (void)written;
}

bool berth_quota_keep(BerthQuota *quota, const char *path, GError **error)
{
    g_autofree char *directory = g_path_get_dirname(path);
    if (g_mkdir_with_parents(directory, 0700) == 0)
        quota->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (quota->fd >= 0)
        return true;
    berth_error_set_errno(error, errno, "share.quota", "%s", path);
    return false;
}

bool berth_quota_resume(BerthQuota *quota)
{
    char text[DIGITS + 2] = {0};
    guint64 count = 0;
    if (quota->fd < 0)
        return true;
    ssize_t size = pread(quota->fd, text, DIGITS + 1, 0);
    bool valid = size == DIGITS + 1 && text[DIGITS] == '\n';
    text[DIGITS] = '\0';
    valid =
        size == 0 || (valid && g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, &count, NULL));
    berth_quota_set(quota, valid ? count : quota->limit);
    return valid;
}

void berth_quota_set(BerthQuota *quota, guint64 bytes)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&quota->lock);
    quota->linked = bytes;
    store(quota);
}

int berth_quota_fd(const BerthQuota *quota)
{
    return quota->fd;
}

/* ---- the count ---- */

void berth_quota_lock(BerthQuota *quota)
{
    g_mutex_lock(&quota->turn);
}

void berth_quota_unlock(BerthQuota *quota)
{
    g_mutex_unlock(&quota->turn);
}

guint64 berth_quota_limit(const BerthQuota *quota)
{
    return quota->limit;
}

static guint64 add(guint64 a, guint64 b)
{
    return a > G_MAXUINT64 - b ? G_MAXUINT64 : a + b;
}

static guint64 subtract(guint64 a, guint64 b)
{
    return a > b ? a - b : 0;
}

static guint64 changed(guint64 value, gint64 bytes)
{
    return bytes < 0 ? subtract(value, (guint64)-bytes) : add(value, (guint64)bytes);
}

guint64 berth_quota_used(BerthQuota *quota)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&quota->lock);
    return add(quota->linked, quota->orphaned);
}

guint64 berth_quota_left(BerthQuota *quota)
{
    return subtract(quota->limit, berth_quota_used(quota));
}

void berth_quota_change(BerthQuota *quota, const BerthNodeKey *key, gint64 bytes)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&quota->lock);
    guint64 *orphan = bytes != 0 ? g_hash_table_lookup(quota->orphans, key) : NULL;
    if (orphan != NULL) {
        guint64 former = *orphan;
        *orphan = changed(former, bytes);
        quota->orphaned = quota->orphaned - former + *orphan;
    } else if (bytes != 0) {
        quota->linked = changed(quota->linked, bytes);
        store(quota);
    }
}

/* Only what was counted becomes the orphan's: the file may have been the host's own. */
void berth_quota_unlinked(BerthQuota *quota, const BerthNodeKey *key, guint64 bytes, bool is_open)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&quota->lock);
    guint64 counted = MIN(bytes, quota->linked);
    quota->linked -= counted;
    store(quota);
    if (!is_open || g_hash_table_contains(quota->orphans, key))
        return;
    guint64 *orphan = g_new(guint64, 1);
    *orphan = counted;
    quota->orphaned += counted;
    g_hash_table_insert(quota->orphans, g_memdup2(key, sizeof(*key)), orphan);
}

void berth_quota_closed(BerthQuota *quota, const BerthNodeKey *key)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&quota->lock);
    const guint64 *orphan = g_hash_table_lookup(quota->orphans, key);
    if (orphan == NULL)
        return;
    quota->orphaned -= *orphan;
    g_hash_table_remove(quota->orphans, key);
}

/* ---- what fits ---- */

guint64 berth_quota_prefix(guint64 left, guint64 unit, guint64 offset, guint64 length,
                           const guint64 *holes, gsize n_holes)
{
    guint64 end = offset + length;
    left -= left % unit;
    for (gsize i = 0; i + 1 < n_holes && holes[i] < end; i += 2) {
        guint64 begin = MAX(holes[i], offset) / unit * unit;
        guint64 stop = MIN(holes[i + 1], end);
        if (stop <= offset)
            continue;
        guint64 needed = (stop - begin + unit - 1) / unit * unit;
        if (needed > left)
            return MAX(begin + left, offset) - offset;
        left -= needed;
    }
    return length;
}
