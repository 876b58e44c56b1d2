/* SPDX-License-Identifier: MIT
 *
 * account_files — look-ups in /etc/passwd, group, shadow and gshadow, and adding an account to them
 * where the distro has no program for it. The files may be of any size. @root is the distro's /.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define ACCOUNT_FIRST_ID 1000
#define ACCOUNT_LAST_ID  59999

typedef struct {
    char name[33];
    uid_t id;            /* UID, and GID of its own group */
    char shell[256];     /* path */
    char home[64];       /* path */
    char admin[33];      /* the administrators' group, or "" */
    bool group_is_there; /* a group of its name exists and becomes its own */
} Account;

/* Whether @path (etc/passwd, etc/group, ...) has a line for @name. */
bool account_files_have(int root, const char *path, const char *name);

/* Find the first person's account: a UID from ACCOUNT_FIRST_ID to ACCOUNT_LAST_ID and an executable
 * shell. False: there is none. */
bool account_files_person(int root, char *name, size_t size);

/* @wanted, or else the first id from ACCOUNT_FIRST_ID on; free as UID and GID. */
uid_t account_files_free_id(int root, uid_t wanted);

/* root's shell if it is executable, else the first usual shell that is. */
void account_files_shell(int root, char *shell, size_t size);

/* Create a missing etc/passwd and etc/group with root's entry, world-readable, as useradd and
 * others expect. 0, or -errno. */
int account_files_prepare(int root);

/* Add @account to the files, which account_files_prepare has made, and create its home from
 * /etc/skel. The line in passwd is written last: a crash before leaves no account. 0, or -errno. */
int account_files_add(int root, const Account *account);
