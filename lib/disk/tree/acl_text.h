/* SPDX-License-Identifier: MIT
 *
 * acl_text — parses the text form of POSIX ACLs that star, GNU tar and libarchive write:
 *
 *     user::rw-,user:bob:r--:1000,group::r--,group:50:rwx,mask::rw-,other::---
 *
 * Lines end in a comma or a newline; a comment begins with "#"; tags may be abbreviated to their
 * first letter. libarchive's own parser loses names that are not ASCII. Pure.
 */
#pragma once

#include "entry.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* Add the ACL in @text to @entry: lines with an id as an xattr, lines with only a name as
 * acl_names. False, with nothing added, when @text is not an ACL. */
bool berth_acl_text_add(const char *text, bool is_default, BerthEntry *entry);

G_END_DECLS
