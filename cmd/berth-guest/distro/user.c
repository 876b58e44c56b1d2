/* SPDX-License-Identifier: MIT */
#include "user.h"

#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool parse_uid(const char *text, uid_t *ret_uid)
{
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return false;
    unsigned long number = strtoul(text, &end, 10);
    if (*end != '\0' || number >= UINT32_MAX)
        return false;
    *ret_uid = (uid_t)number;
    return true;
}

void user_clear(User *user)
{
    free(user->name);
    free(user->home);
    free(user->shell);
    *user = (User){0};
}

static void keep(User *user, const struct passwd *entry)
{
    user_clear(user);
    *user = (User){
        .uid = entry->pw_uid,
        .gid = entry->pw_gid,
        .name = strdup(entry->pw_name),
        .home = strdup(entry->pw_dir),
        .shell = strdup(entry->pw_shell != NULL && entry->pw_shell[0] != '\0' ? entry->pw_shell
                                                                              : "/bin/sh"),
    };
}

/* Names take precedence over UIDs: a user may be called "1000". */
static bool find_entry(const char *who, User *user)
{
    FILE *file = fopen("/etc/passwd", "re");
    if (file == NULL)
        return false;

    uid_t uid = 0;
    bool is_number = parse_uid(who, &uid);
    bool found = false;
    const struct passwd *entry;
    while ((entry = fgetpwent(file)) != NULL) {
        bool named = strcmp(entry->pw_name, who) == 0;
        if (named || (is_number && !found && entry->pw_uid == uid)) {
            keep(user, entry);
            found = true;
        }
        if (named)
            break;
    }
    fclose(file);
    return found;
}

static bool has_member(const struct group *group, const char *name)
{
    for (char **member = group->gr_mem; *member != NULL; member++) {
        if (strcmp(*member, name) == 0)
            return true;
    }
    return false;
}

static void find_groups(User *user)
{
    user->groups[user->group_count++] = user->gid;
    FILE *file = fopen("/etc/group", "re");
    if (file == NULL)
        return;

    const struct group *group;
    while (user->group_count < USER_GROUPS_MAX && (group = fgetgrent(file)) != NULL) {
        if (group->gr_gid != user->gid && has_member(group, user->name))
            user->groups[user->group_count++] = group->gr_gid;
    }
    fclose(file);
}

bool user_find(const char *who, User *ret_user)
{
    static const struct passwd root = {
        .pw_name = (char *)"root", .pw_dir = (char *)"/root", .pw_shell = (char *)"/bin/sh"};

    User user = {0};
    if (!find_entry(who, &user)) {
        if (strcmp(who, "root") != 0 && strcmp(who, "0") != 0)
            return false;
        keep(&user, &root);
    }
    if (user.name == NULL || user.home == NULL || user.shell == NULL) {
        user_clear(&user);
        return false;
    }
    find_groups(&user);
    *ret_user = user;
    return true;
}

/* Skip a default user that does not exist, with a warning. */
static bool find_default(const DefaultUsers *defaults, User *ret_user, char *warning, size_t size)
{
    char self[16];
    snprintf(self, sizeof(self), "%u", geteuid());

    const char *const candidates[] = {defaults->configured, defaults->registered, self};
    for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
        if (candidates[i][0] == '\0')
            continue;
        if (user_find(candidates[i], ret_user))
            return true;
        snprintf(warning, size, "no user \"%s\" in the distro, which is its default",
                 candidates[i]);
    }
    return false;
}

bool user_choose(const char *asked, const DefaultUsers *defaults, User *ret_user, char *message,
                 size_t size)
{
    User user;
    message[0] = '\0';
    if (asked[0] == '\0') {
        if (!find_default(defaults, &user, message, size))
            return false;
    } else if (!user_find(asked, &user)) {
        snprintf(message, size, "no user \"%s\" in the distro", asked);
        return false;
    }
    if (geteuid() == 0 || user.uid == geteuid()) {
        *ret_user = user;
        return true;
    }
    snprintf(message, size, "only root can run as \"%s\"", user.name);
    user_clear(&user);
    return false;
}

gid_t user_group(const char *name, gid_t otherwise)
{
    FILE *file = fopen("/etc/group", "re");
    if (file == NULL)
        return otherwise;

    gid_t found = otherwise;
    const struct group *group;
    while ((group = fgetgrent(file)) != NULL) {
        if (strcmp(group->gr_name, name) == 0) {
            found = group->gr_gid;
            break;
        }
    }
    fclose(file);
    return found;
}
