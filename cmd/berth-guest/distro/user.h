/* SPDX-License-Identifier: MIT
 *
 * user — who is in the distro's /etc/passwd and /etc/group. The files are read directly: the
 * distro's NSS modules cannot be loaded into this program, and are not needed for its own users.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define USER_GROUPS_MAX 256

typedef struct {
    uid_t uid;
    gid_t gid;
    char *name;
    char *home;
    char *shell;                   /* never "" */
    gid_t groups[USER_GROUPS_MAX]; /* supplementary ones and gid */
    int group_count;
} User;

/* Find @who, a name or a number. Root is known even without /etc/passwd. user_clear frees. */
bool user_find(const char *who, User *ret_user);
void user_clear(User *user);

/* Whose a command is that is nobody's in particular, in this order, either may be "": what the
 * distro's owner has configured (user.default), and what the host has registered. */
typedef struct {
    const char *configured;
    const char *registered;
} DefaultUsers;

/* Whom a command is for: @asked; when that is "", one of @defaults; or else root, or whoever runs
 * the agent. Of those only @asked must be there. False: @message says why not; true: it is a
 * warning, or "". */
bool user_choose(const char *asked, const DefaultUsers *defaults, User *ret_user, char *message,
                 size_t size);

/* The group @name's number, or @otherwise. */
gid_t user_group(const char *name, gid_t otherwise);
