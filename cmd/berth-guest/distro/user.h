/* SPDX-License-Identifier: MIT
 *
 * user — look-ups in the distro's /etc/passwd and /etc/group. It parses the files: this static
 * program cannot load the distro's NSS modules, and local users do not need them.
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
    gid_t groups[USER_GROUPS_MAX]; /* supplementary groups and gid */
    int group_count;
} User;

/* Find @who, a name or UID. Root is found even without /etc/passwd. user_clear frees. */
bool user_find(const char *who, User *ret_user);
void user_clear(User *user);

/* Default users of commands, in order of precedence; either may be "": the one the distro's owner
 * has configured (user.default), and the one the host has registered. */
typedef struct {
    const char *configured;
    const char *registered;
} DefaultUsers;

/* Choose the user of a command: @asked; if that is "", one of @defaults, else root, or the agent's
 * own user. Only @asked must exist. False: @message is the error; true: it is a warning or "". */
bool user_choose(const char *asked, const DefaultUsers *defaults, User *ret_user, char *message,
                 size_t size);

/* The GID of group @name, or @otherwise. */
gid_t user_group(const char *name, gid_t otherwise);
