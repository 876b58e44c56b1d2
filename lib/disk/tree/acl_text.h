/* SPDX-License-Identifier: MIT
 *
 * acl_text — POSIX ACLs in words, as star, GNU tar and libarchive put them into archives:
 *
 *     user::rw-,user:bob:r--:1000,group::r--,group:50:rwx,mask::rw-,other::---
 *
 * Lines end in a comma or a newline; a comment begins with "#"; words may be cut to their first
 * letter. libarchive has a reader of this too, but loses names that are not ASCII. Pure.
 */
#pragma once

#include "entry.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* Add what @text says to @entry: its lines with numbers as an attribute, those with only a name as
 * names. False when it is no ACL; nothing was added then. */
bool berth_acl_text_add(const char *text, bool is_default, BerthEntry *entry);

G_END_DECLS
