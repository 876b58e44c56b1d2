/* SPDX-License-Identifier: MIT
 *
 * acl — POSIX ACLs in the kernel's xattr form and in ext4's on-disk form.
 *
 * Linux's form, the value of the attribute system.posix_acl_access: the version 2 in four bytes,
 * then entries of eight: tag and permissions in two bytes each, id in four. ext4's form: the
 * version 1 in four bytes, then entries of four bytes, or eight for named users and groups. All
 * little-endian; entries are sorted by tag, then id.
 *
 * Pure. Values are immutable GBytes; the caller owns the results.
 */
#pragma once

#include "entry.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_ACL_ACCESS    "system.posix_acl_access"
#define BERTH_ACL_DEFAULT   "system.posix_acl_default"
#define BERTH_ACL_TAG_USER  0x02
#define BERTH_ACL_TAG_GROUP 0x08

/* Insert @line into an ACL in Linux's form. */
GBytes *berth_acl_insert(GBytes *acl, const BerthAclEntry *line);

/* Convert Linux's form to ext4's. */
GBytes *berth_acl_to_disk(GBytes *acl);

/* Look up the id of @name in @accounts, the text of passwd(5) or group(5). */
bool berth_acl_find_account(GBytes *accounts, const char *name, guint32 *ret_id);

G_END_DECLS
