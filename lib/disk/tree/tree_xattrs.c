/* SPDX-License-Identifier: MIT */
#include "tree_xattrs.h"

#include "acl.h"

#include "base/error.h"

#include <string.h>

#define XATTR_BYTES_MAX (G_GUINT64_CONSTANT(256) << 20)

/* An ACL line whose id is not resolved yet. */
typedef struct {
    BerthInode *inode;
    const char *name;
    guint16 tag;
    guint16 permissions;
    bool is_default;
} PendingAcl;

static guint hash_xattrs(gconstpointer data)
{
    const GArray *xattrs = data;
    guint hash = xattrs->len;
    for (guint i = 0; i < xattrs->len; i++) {
        const BerthXattr *xattr = &g_array_index(xattrs, BerthXattr, i);
        hash = hash * 31 + g_str_hash(xattr->name);
        hash = hash * 31 + g_bytes_hash(xattr->value);
    }
    return hash;
}

static gboolean equal_xattrs(gconstpointer a, gconstpointer b)
{
    const GArray *x = a;
    const GArray *y = b;
    for (guint i = 0; x->len == y->len && i < x->len; i++) {
        const BerthXattr *p = &g_array_index(x, BerthXattr, i);
        const BerthXattr *q = &g_array_index(y, BerthXattr, i);
        if (strcmp(p->name, q->name) != 0 || !g_bytes_equal(p->value, q->value))
            return false;
    }
    return x->len == y->len;
}

static guint64 xattrs_size(const GArray *xattrs)
{
    guint64 size = 0;
    for (guint i = 0; i < xattrs->len; i++) {
        const BerthXattr *xattr = &g_array_index(xattrs, BerthXattr, i);
        size += strlen(xattr->name) + g_bytes_get_size(xattr->value);
    }
    return size;
}

void berth_tree_xattrs_init(BerthTree *tree)
{
    tree->acl_names = g_array_new(false, false, sizeof(PendingAcl));
    tree->xattr_sets =
        g_hash_table_new_full(hash_xattrs, equal_xattrs, (GDestroyNotify)g_array_unref, NULL);
}

void berth_tree_xattrs_clear(BerthTree *tree)
{
    g_array_unref(tree->acl_names);
    g_hash_table_unref(tree->xattr_sets);
}

bool berth_tree_xattrs_set(BerthTree *tree, BerthInode *inode, GArray *xattrs, GError **error)
{
    inode->xattrs = NULL;
    if (xattrs == NULL || xattrs->len == 0)
        return true;
    inode->xattrs = g_hash_table_lookup(tree->xattr_sets, xattrs);
    if (inode->xattrs != NULL)
        return true;

    tree->xattr_bytes += xattrs_size(xattrs);
    if (tree->xattr_bytes > XATTR_BYTES_MAX) {
        berth_error_set(error, BERTH_ERROR_INVALID, "import.tree.too-many-xattrs", NULL,
                        "the archive has more than 256 MiB of extended attributes");
        return false;
    }
    inode->xattrs = g_array_ref(xattrs);
    g_hash_table_add(tree->xattr_sets, inode->xattrs);
    return true;
}

void berth_tree_xattrs_remember_acl_names(BerthTree *tree, BerthInode *inode, const GArray *names)
{
    for (guint i = 0; names != NULL && i < names->len; i++) {
        const BerthAclName *from = &g_array_index(names, BerthAclName, i);
        PendingAcl pending = {
            .inode = inode,
            .name = berth_arena_strndup(tree->arena, from->name, strlen(from->name)),
            .tag = from->tag,
            .permissions = from->permissions,
            .is_default = from->is_default,
        };
        g_array_append_val(tree->acl_names, pending);
    }
}

void berth_tree_xattrs_forget_acl_names(BerthTree *tree, const BerthInode *inode)
{
    for (guint i = tree->acl_names->len; i > 0; i--) {
        if (g_array_index(tree->acl_names, PendingAcl, i - 1).inode == inode)
            g_array_remove_index(tree->acl_names, i - 1);
    }
}

bool berth_tree_has_acl_names(const BerthTree *tree)
{
    return tree->acl_names->len > 0;
}

/* The attributes of @inode with one more line in an ACL. NULL when it has no such ACL. */
static GArray *add_acl_line(const BerthInode *inode, const PendingAcl *pending, guint32 id)
{
    const char *wanted = pending->is_default ? BERTH_ACL_DEFAULT : BERTH_ACL_ACCESS;
    BerthAclEntry line = {.tag = pending->tag, .permissions = pending->permissions, .id = id};
    g_auto(BerthEntry) copy = {0};
    bool found = false;
    for (guint i = 0; inode->xattrs != NULL && i < inode->xattrs->len; i++) {
        const BerthXattr *xattr = &g_array_index(inode->xattrs, BerthXattr, i);
        bool is_it = strcmp(xattr->name, wanted) == 0;
        g_autoptr(GBytes) value =
            is_it ? berth_acl_insert(xattr->value, &line) : g_bytes_ref(xattr->value);
        gsize size;
        const void *data = g_bytes_get_data(value, &size);
        berth_entry_add_xattr(&copy, xattr->name, data, size);
        found |= is_it;
    }
    return found ? g_steal_pointer(&copy.xattrs) : NULL;
}

static bool resolve_acl_name(BerthTree *tree, const PendingAcl *pending, GBytes *accounts)
{
    guint32 id = 0;
    if (accounts == NULL || !berth_acl_find_account(accounts, pending->name, &id))
        return false;
    g_autoptr(GArray) xattrs = add_acl_line(pending->inode, pending, id);
    return xattrs != NULL && berth_tree_xattrs_set(tree, pending->inode, xattrs, NULL);
}

void berth_tree_resolve_acl_names(BerthTree *tree, GBytes *passwd, GBytes *group)
{
    for (guint i = 0; i < tree->acl_names->len; i++) {
        const PendingAcl *pending = &g_array_index(tree->acl_names, PendingAcl, i);
        GBytes *accounts = pending->tag == BERTH_ACL_TAG_USER ? passwd : group;
        if (pending->inode->links > 0 && !resolve_acl_name(tree, pending, accounts))
            tree->acls_dropped++;
    }
    g_array_set_size(tree->acl_names, 0);
}
