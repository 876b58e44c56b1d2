/* SPDX-License-Identifier: MIT */
#include "entry.h"

#include "base/error.h"

#include <string.h>

#define NAME_LIMIT        255
#define PATH_LIMIT        65535 /* 16 times PATH_MAX */
#define DEPTH_LIMIT       4096  /* for the distro's recursive tools; this code does not recurse */
#define SYMLINK_LIMIT     4095  /* one block with its NUL */
#define XATTR_VALUE_LIMIT 65536
#define FILE_SIZE_LIMIT   ((G_GINT64_CONSTANT(1) << 44) - 4096) /* 32-bit block numbers of 4 KiB */
#define TIME_MIN          (-(G_GINT64_CONSTANT(1) << 31))
#define TIME_MAX          G_GINT64_CONSTANT(15032385535) /* 34 bits from 1901 */

#define ACL_ACCESS      "system.posix_acl_access"
#define ACL_DEFAULT     "system.posix_acl_default"
#define ACL_VERSION     2
#define ACL_HEADER_SIZE 4
#define ACL_ENTRY_SIZE  8
#define ACL_TAGS        6 /* one bit each: owner, user, owning group, group, mask, others */
#define ACL_NAMED_TAGS  (1U << 1 | 1U << 3)

static void xattr_clear(gpointer data)
{
    BerthXattr *xattr = data;
    g_free(xattr->name);
    g_bytes_unref(xattr->value);
}

void berth_entry_clear(BerthEntry *entry)
{
    g_free(entry->path);
    g_free(entry->target);
    if (entry->xattrs != NULL)
        g_array_unref(entry->xattrs);
    if (entry->acl_names != NULL)
        g_array_unref(entry->acl_names);
    *entry = (BerthEntry){0};
}

static const BerthXattr *find_xattr(const BerthEntry *entry, const char *name)
{
    for (guint i = 0; entry->xattrs != NULL && i < entry->xattrs->len; i++) {
        const BerthXattr *xattr = &g_array_index(entry->xattrs, BerthXattr, i);
        if (strcmp(xattr->name, name) == 0)
            return xattr;
    }
    return NULL;
}

void berth_entry_add_xattr(BerthEntry *entry, const char *name, const void *value, gsize size)
{
    if (find_xattr(entry, name) != NULL)
        return;
    if (entry->xattrs == NULL) {
        entry->xattrs = g_array_new(false, false, sizeof(BerthXattr));
        g_array_set_clear_func(entry->xattrs, xattr_clear);
    }

    BerthXattr xattr = {.name = g_strdup(name), .value = g_bytes_new(value, size)};
    g_array_append_val(entry->xattrs, xattr);
}

static int compare_acl_entries(gconstpointer a, gconstpointer b)
{
    const BerthAclEntry *x = a;
    const BerthAclEntry *y = b;
    if (x->tag != y->tag)
        return x->tag < y->tag ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static void append_le(GByteArray *bytes, guint64 value, guint size)
{
    guint64 swapped = GUINT64_TO_LE(value);
    g_byte_array_append(bytes, (const guint8 *)&swapped, size);
}

void berth_entry_add_acl(BerthEntry *entry, bool is_default, GArray *acl)
{
    g_autoptr(GByteArray) value = g_byte_array_new();
    append_le(value, ACL_VERSION, ACL_HEADER_SIZE);

    g_array_sort(acl, compare_acl_entries);
    for (guint i = 0; i < acl->len; i++) {
        const BerthAclEntry *item = &g_array_index(acl, BerthAclEntry, i);
        append_le(value, item->tag, 2);
        append_le(value, item->permissions, 2);
        append_le(value, item->id, 4);
    }
    berth_entry_add_xattr(entry, is_default ? ACL_DEFAULT : ACL_ACCESS, value->data, value->len);
}

static void acl_name_clear(gpointer data)
{
    g_free(((BerthAclName *)data)->name);
}

void berth_entry_add_acl_name(BerthEntry *entry, const char *name, const BerthAclEntry *line,
                              bool is_default)
{
    if (entry->acl_names == NULL) {
        entry->acl_names = g_array_new(false, false, sizeof(BerthAclName));
        g_array_set_clear_func(entry->acl_names, acl_name_clear);
    }
    BerthAclName item = {.name = g_strdup(name),
                         .tag = line->tag,
                         .permissions = line->permissions,
                         .is_default = is_default};
    g_array_append_val(entry->acl_names, item);
}

static bool refuse(GError **error, const char *id, const char *message)
{
    berth_error_set(error, BERTH_ERROR_INVALID, id, NULL, "%s", message);
    return false;
}

/* "./a//b/", "/a/./b" -> "a/b". Rejects "..", which well-formed archives do not contain. */
static char *clean_path(const char *path, GError **error)
{
    if (strlen(path) > PATH_LIMIT)
        return refuse(error, "import.entry.long-name", "the path is longer than 65535 bytes"), NULL;

    guint depth = 0;
    g_autoptr(GString) clean = g_string_sized_new(strlen(path));
    for (const char *next = path; *next != '\0';) {
        gsize length = strcspn(next, "/");
        if (length == 2 && strncmp(next, "..", 2) == 0)
            return refuse(error, "import.entry.dotdot", "the path leads outside with \"..\""), NULL;
        if (length > NAME_LIMIT)
            return refuse(error, "import.entry.long-name", "a name is longer than 255 bytes"), NULL;

        if (length > 0 && !(length == 1 && *next == '.')) {
            if (clean->len > 0)
                g_string_append_c(clean, '/');
            g_string_append_len(clean, next, (gssize)length);
            if (++depth > DEPTH_LIMIT)
                return refuse(error, "import.entry.too-deep", "the path has more than 4096 parts"),
                       NULL;
        }
        next += length;
        next += strspn(next, "/");
    }
    return g_string_free(g_steal_pointer(&clean), false);
}

static bool normalise_path(BerthEntry *entry, GError **error)
{
    if (entry->path == NULL || entry->path[0] == '\0')
        return refuse(error, "import.entry.empty-name", "the entry has no name");

    /* Pre-POSIX writers mark a directory by a trailing slash only. */
    if (entry->type == BERTH_ENTRY_FILE && g_str_has_suffix(entry->path, "/"))
        entry->type = BERTH_ENTRY_DIRECTORY;

    char *path = clean_path(entry->path, error);
    if (path == NULL)
        return false;
    g_free(entry->path);
    entry->path = path;
    if (path[0] == '\0' && entry->type != BERTH_ENTRY_DIRECTORY)
        return refuse(error, "import.entry.bad-root", "the root must be a directory");
    return true;
}

static bool normalise_target(BerthEntry *entry, GError **error)
{
    bool symlink = entry->type == BERTH_ENTRY_SYMLINK;
    if (!symlink && entry->type != BERTH_ENTRY_HARDLINK) {
        g_clear_pointer(&entry->target, g_free);
        return true;
    }
    if (entry->target == NULL || entry->target[0] == '\0')
        return refuse(error, "import.entry.bad-link", "the link has no target");
    if (symlink && strlen(entry->target) > SYMLINK_LIMIT)
        return refuse(error, "import.entry.bad-link",
                      "the link's target is longer than 4095 bytes");
    if (symlink)
        return true;

    char *target = clean_path(entry->target, error);
    if (target == NULL) {
        g_prefix_error(error, "hard link target: ");
        return false;
    }
    g_free(entry->target);
    entry->target = target;
    return true;
}

/* 2^32-1 is the kernel's invalid id; larger ids would be truncated to another user's. */
static bool check_ids(const BerthEntry *entry, GError **error)
{
    const gint64 ids[] = {entry->uid, entry->gid};
    for (gsize i = 0; i < G_N_ELEMENTS(ids); i++) {
        if (ids[i] >= 0 && ids[i] < G_MAXUINT32)
            continue;
        berth_error_set(error, BERTH_ERROR_INVALID, "import.entry.bad-id", NULL,
                        "the owner %" G_GINT64_FORMAT " is not in 0..4294967294", ids[i]);
        return false;
    }
    return true;
}

static bool check_device(BerthEntry *entry, GError **error)
{
    if (entry->type != BERTH_ENTRY_CHAR_DEVICE && entry->type != BERTH_ENTRY_BLOCK_DEVICE) {
        entry->major = entry->minor = 0;
        return true;
    }
    if (entry->major < 0 || entry->major > 0xfff || entry->minor < 0 || entry->minor > 0xfffff) {
        berth_error_set(error, BERTH_ERROR_INVALID, "import.entry.bad-device", NULL,
                        "the device %" G_GINT64_FORMAT ":%" G_GINT64_FORMAT
                        " is not in 0:0..4095:1048575",
                        entry->major, entry->minor);
        return false;
    }
    return true;
}

static bool check_size(const BerthEntry *entry, GError **error)
{
    if (entry->size < 0)
        return refuse(error, "import.entry.bad-size", "the size is negative");
    if (entry->size > FILE_SIZE_LIMIT)
        return refuse(error, "import.entry.bad-size",
                      "the file is larger than ext4 allows, 16 TiB");
    return true;
}

static void normalise_times(BerthEntry *entry, BerthDropped *dropped)
{
    for (guint i = 0; i < BERTH_TIMES; i++) {
        BerthTime *time = &entry->times[i];
        if (!entry->has_time[i])
            *time = i == 0 ? (BerthTime){0} : entry->times[BERTH_TIME_MODIFIED];
        entry->has_time[i] = true;

        if (time->sec >= TIME_MIN && time->sec <= TIME_MAX)
            continue;
        *time = (BerthTime){.sec = time->sec < TIME_MIN ? TIME_MIN : TIME_MAX};
        dropped->times++;
    }
}

/* The permissions of each ACL tag, indexed by the tag's bit number. */
typedef struct {
    guint lines[ACL_TAGS];
    guint8 permissions[ACL_TAGS]; /* of the last line */
} AclShape;

/* Parse one line. Its key must exceed @before, the previous key: ACLs are sorted and without
 * duplicates. */
static bool read_acl_line(const guint8 *line, guint64 *before, AclShape *shape)
{
    guint tag = line[0] | (guint)line[1] << 8;
    guint32 id;
    memcpy(&id, line + 4, sizeof(id));
    gint bit = g_bit_nth_lsf(tag, -1);
    if (tag == 0 || bit >= ACL_TAGS || tag != 1U << bit || line[2] > 7 || line[3] != 0)
        return false;

    bool named = (ACL_NAMED_TAGS & 1U << bit) != 0;
    guint64 key = (guint64)tag << 32 | (named ? GUINT32_FROM_LE(id) : 0);
    if (key <= *before)
        return false;
    *before = key;
    shape->lines[bit]++;
    shape->permissions[bit] = line[2];
    return true;
}

/* Parse the kernel's form. False for an invalid ACL, which would make the file inaccessible.
 * @named: lines for unresolved names will be added. */
static bool read_acl(GBytes *bytes, bool named, AclShape *ret_shape)
{
    gsize size;
    const guint8 *data = g_bytes_get_data(bytes, &size);
    if (size <= ACL_HEADER_SIZE || (size - ACL_HEADER_SIZE) % ACL_ENTRY_SIZE != 0 ||
        data[0] != ACL_VERSION || data[1] != 0 || data[2] != 0 || data[3] != 0)
        return false;

    guint64 before = 0;
    *ret_shape = (AclShape){0};
    for (gsize at = ACL_HEADER_SIZE; at < size; at += ACL_ENTRY_SIZE) {
        if (!read_acl_line(data + at, &before, ret_shape))
            return false;
    }
    const guint *lines = ret_shape->lines;
    bool needs_mask = named || lines[1] > 0 || lines[3] > 0;
    return lines[0] == 1 && lines[2] == 1 && lines[5] == 1 && (lines[4] == 1 || !needs_mask);
}

static bool has_acl_names(const BerthEntry *entry, bool is_default)
{
    for (guint i = 0; entry->acl_names != NULL && i < entry->acl_names->len; i++) {
        if (g_array_index(entry->acl_names, BerthAclName, i).is_default == is_default)
            return true;
    }
    return false;
}

static void drop_acl_names(BerthEntry *entry, bool is_default, BerthDropped *dropped)
{
    for (guint i = entry->acl_names == NULL ? 0 : entry->acl_names->len; i > 0; i--) {
        if (g_array_index(entry->acl_names, BerthAclName, i - 1).is_default != is_default)
            continue;
        g_array_remove_index(entry->acl_names, i - 1);
        dropped->acls++;
    }
}

static void remove_xattr(BerthEntry *entry, const BerthXattr *xattr)
{
    g_array_remove_index(entry->xattrs, (guint)(xattr - (const BerthXattr *)entry->xattrs->data));
}

/* The mode that matches an ACL: owner, mask (or group), others, as chmod and ls show it. */
static guint32 acl_mode(guint32 mode, const AclShape *shape)
{
    guint32 group = shape->permissions[shape->lines[4] > 0 ? 4 : 2];
    return (mode & ~0777U) | (guint32)shape->permissions[0] << 6 | group << 3 |
           shape->permissions[5];
}

/* Keep a valid ACL on a file type that may have one; drop an ACL equivalent to the mode. */
static void normalise_acl(BerthEntry *entry, bool is_default, BerthDropped *dropped)
{
    const BerthXattr *acl = find_xattr(entry, is_default ? ACL_DEFAULT : ACL_ACCESS);
    bool named = has_acl_names(entry, is_default);
    bool in_place =
        is_default ? entry->type == BERTH_ENTRY_DIRECTORY : entry->type != BERTH_ENTRY_SYMLINK;
    AclShape shape;
    if (acl == NULL || !in_place || !read_acl(acl->value, named, &shape)) {
        drop_acl_names(entry, is_default, dropped);
        dropped->acls += acl != NULL ? 1 : 0;
        if (acl != NULL)
            remove_xattr(entry, acl);
        return;
    }
    if (is_default)
        return;
    entry->mode = acl_mode(entry->mode, &shape);
    if (!named && shape.lines[1] == 0 && shape.lines[3] == 0 && shape.lines[4] == 0)
        remove_xattr(entry, acl);
}

/* Whether Linux allows the xattr on this file type: user.* on files and directories only. */
static bool xattr_fits(const BerthEntry *entry, const BerthXattr *xattr)
{
    const char *point = strchr(xattr->name, '.');
    gsize length = point == NULL ? 0 : strlen(point + 1);
    if (length == 0 || length > NAME_LIMIT || g_bytes_get_size(xattr->value) > XATTR_VALUE_LIMIT)
        return false;
    bool directory = entry->type == BERTH_ENTRY_DIRECTORY;
    if (g_str_has_prefix(xattr->name, "user."))
        return directory || entry->type == BERTH_ENTRY_FILE;
    if (strcmp(xattr->name, ACL_ACCESS) == 0 || strcmp(xattr->name, ACL_DEFAULT) == 0)
        return true; /* normalise_acl() has checked it */
    return g_str_has_prefix(xattr->name, "trusted.") || g_str_has_prefix(xattr->name, "security.");
}

static int compare_xattrs(gconstpointer a, gconstpointer b)
{
    return strcmp(((const BerthXattr *)a)->name, ((const BerthXattr *)b)->name);
}

static void normalise_xattrs(BerthEntry *entry, BerthDropped *dropped)
{
    normalise_acl(entry, false, dropped);
    normalise_acl(entry, true, dropped);
    for (guint i = 0; entry->xattrs != NULL && i < entry->xattrs->len;) {
        const BerthXattr *xattr = &g_array_index(entry->xattrs, BerthXattr, i);
        if (xattr_fits(entry, xattr)) {
            i++;
        } else {
            dropped->xattrs++;
            g_array_remove_index(entry->xattrs, i);
        }
    }
    if (entry->xattrs != NULL)
        g_array_sort(entry->xattrs, compare_xattrs);
}

bool berth_entry_normalise(BerthEntry *entry, BerthDropped *dropped, GError **error)
{
    if (!normalise_path(entry, error) || !normalise_target(entry, error))
        return false;
    dropped->acls += entry->dropped_acls;
    dropped->flags += entry->dropped_flags;
    if (entry->type == BERTH_ENTRY_HARDLINK)
        return check_size(entry, error); /* the other fields belong to the link's target */

    if (!check_ids(entry, error) || !check_device(entry, error) || !check_size(entry, error))
        return false;
    normalise_xattrs(entry, dropped);
    if (entry->type != BERTH_ENTRY_FILE)
        entry->size = 0;
    entry->mode = entry->type == BERTH_ENTRY_SYMLINK ? 0777 : entry->mode & 07777;
    normalise_times(entry, dropped);
    return true;
}
