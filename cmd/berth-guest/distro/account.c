/* SPDX-License-Identifier: MIT */
#include "account.h"

#include "account_files.h"
#include "user.h"

#include "os/file.h"
#include "os/program.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE "/var/lib/berth"
#define MARK  STATE "/user"

#define SUDOERS      "/etc/sudoers.d"
#define SUDOERS_FILE SUDOERS "/berth-user"

/* Under emulation useradd takes a second. */
#define PROGRAM_SEC 60

int account_mark(const char *who)
{
    return file_mark(STATE, "user", who);
}

void account_marked(char user[65])
{
    if (!file_read_line(MARK, user, 65))
        user[0] = '\0';
}

/* ---- which account ---- */

/* Names that are valid in passwd and sudoers and for every useradd. */
static bool is_name(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz_";
    static const char all[] = "abcdefghijklmnopqrstuvwxyz_0123456789-";
    return name[0] != '\0' && strchr(letters, name[0]) != NULL && strspn(name, all) == strlen(name);
}

static Account plan(int root, const Config *config)
{
    static const char *const admins[] = {"sudo", "wheel", "admin"};
    Account account = {.id = account_files_free_id(root, config->account_uid)};
    strcpy(account.name, config->account);
    snprintf(account.home, sizeof(account.home), "/home/%s", config->account);
    account_files_shell(root, account.shell, sizeof(account.shell));
    for (size_t i = 0; i < sizeof(admins) / sizeof(admins[0]) && account.admin[0] == '\0'; i++)
        if (account_files_have(root, "etc/group", admins[i]))
            strcpy(account.admin, admins[i]);
    account.group_is_there = account_files_have(root, "etc/group", account.name);
    return account;
}

/* ---- creating it ---- */

static bool is_busybox(const char *path)
{
    char real[PATH_MAX];
    const char *slash = realpath(path, real) != NULL ? strrchr(real, '/') : NULL;
    return slash != NULL && strcmp(slash + 1, "busybox") == 0;
}

static int run_useradd(const char *program, const Account *account, char *output, size_t size)
{
    const char *argv[16] = {program, "-m", "-u"};
    char id[16];
    size_t count = 3;
    snprintf(id, sizeof(id), "%u", account->id);
    argv[count++] = id;
    argv[count++] = "-s";
    argv[count++] = account->shell;
    if (account->admin[0] != '\0') {
        argv[count++] = "-G";
        argv[count++] = account->admin;
    }
    argv[count++] = account->group_is_there ? "-g" : "-U";
    if (account->group_is_there)
        argv[count++] = account->name;
    argv[count] = account->name;
    return program_run(argv, PROGRAM_SEC, output, size);
}

static int run_adduser(const char *program, const Account *account, char *output, size_t size)
{
    char id[16];
    snprintf(id, sizeof(id), "%u", account->id);
    const char *const own_group[] = {
        program, "-D", "-u", id, "-s", account->shell, "-h", account->home, account->name, NULL};
    const char *const its_group[] = {program, "-D",           "-u",          id,
                                     "-s",    account->shell, "-h",          account->home,
                                     "-G",    account->name,  account->name, NULL};
    int result =
        program_run(account->group_is_there ? its_group : own_group, PROGRAM_SEC, output, size);
    const char *const join[] = {program, account->name, account->admin, NULL};
    if (result == 0 && account->admin[0] != '\0')
        result = program_run(join, PROGRAM_SEC, output, size);
    return result;
}

static int make(int root, const Account *account, char *output, size_t size)
{
    char program[64];
    output[0] = '\0';
    if (program_find("useradd", program, sizeof(program)))
        return run_useradd(program, account, output, size);
    if (program_find("adduser", program, sizeof(program)) && is_busybox(program))
        return run_adduser(program, account, output, size);
    return account_files_add(root, account);
}

/* Without it the account, which has no password, could not become root. */
static int allow_sudo(const char *name)
{
    char line[80];
    if (access(SUDOERS, F_OK) < 0)
        return 0;
    snprintf(line, sizeof(line), "%s ALL=(ALL:ALL) NOPASSWD: ALL\n", name);
    return file_replace(SUDOERS_FILE, line, 0440);
}

static void make_new(int root, const Config *config, char *problem, size_t size)
{
    char output[160] = "";
    int result = account_files_prepare(root);
    const Account account = plan(root, config);
    if (result == 0)
        result = make(root, &account, output, sizeof(output));
    if (result != 0) {
        const char *why = result < 0 ? strerror(-result) : output[0] != '\0' ? output : "it failed";
        snprintf(problem, size, "cannot make the account %s: %s", account.name, why);
        return;
    }
    result = allow_sudo(account.name);
    if (result == 0)
        result = account_mark(account.name);
    if (result < 0)
        snprintf(problem, size, "the account %s: %s", account.name, strerror(-result));
}

void account_make(int root, const Config *config, const Settings *settings, char *problem,
                  size_t size)
{
    char person[33] = "";
    User user;
    if (config->account[0] == '\0' || access(MARK, F_OK) == 0)
        return;
    if (settings->user != NULL || config->user[0] != '\0')
        return;
    if (!is_name(config->account)) {
        snprintf(problem, size, "\"%s\" cannot be the name of an account", config->account);
        return;
    }
    if (account_files_person(root, person, sizeof(person))) {
        int result = account_mark(person);
        if (result < 0)
            snprintf(problem, size, "%s: %s", MARK, strerror(-result));
    } else if (user_find(config->account, &user)) {
        snprintf(problem, size, "%s is a system account: no user was made", config->account);
    } else {
        make_new(root, config, problem, size);
    }
}

/* ---- default user ---- */

void account_default(const Config *config, const Settings *settings, char user[65], char *problem,
                     size_t size)
{
    char mark[65] = "";
    account_marked(mark);
    const char *const order[] = {settings->user, config->user, mark};
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        User found;
        if (order[i] == NULL || order[i][0] == '\0' || strlen(order[i]) > 64)
            continue;
        if (user_find(order[i], &found)) {
            strcpy(user, order[i]);
            return;
        }
        snprintf(problem, size, "the default user %s is not in the distro", order[i]);
    }
    user[0] = '\0';
}
