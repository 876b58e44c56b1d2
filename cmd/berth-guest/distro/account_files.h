/* SPDX-License-Identifier: MIT
 *
 * account_files — /etc/passwd, group, shadow and gshadow: what account.c looks up in them, and
 * writing an account into them where the distro has no program for it. They may be of any size.
 * @root is the directory they are below, a distro's /.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define ACCOUNT_FIRST_ID 1000
#define ACCOUNT_LAST_ID  59999

typedef struct {
    char name[33];
    uid_t id;            /* of the user and of the group that is its own */
    char shell[256];     /* path */
    char home[64];       /* path */
    char admin[33];      /* the administrators' group, or "" */
    bool group_is_there; /* a group of its name, which becomes its own */
} Account;

/* Whether @path (etc/passwd, etc/group, ...) has a line for @name. */
bool account_files_have(int root, const char *path, const char *name);

/* The first person's account: a number from ACCOUNT_FIRST_ID to ACCOUNT_LAST_ID and a shell that
 * can be run. False: there is none. */
bool account_files_person(int root, char *name, size_t size);

/* @wanted, or the first number from ACCOUNT_FIRST_ID on that neither a user nor a group has. */
uid_t account_files_free_id(int root, uid_t wanted);

/* root's shell where it can be run, or else the first of the usual ones that can. */
void account_files_shell(int root, char *shell, size_t size);

/* Make etc/passwd and etc/group where an image has none: with root in them and for all to read, as
 * useradd and all others take for granted. 0, or -errno. */
int account_files_prepare(int root);

/* Write @account into the files and make its home of /etc/skel. The line in passwd comes last: a
 * crash before it leaves no account. The files are prepared. 0, or -errno. */
int account_files_add(int root, const Account *account);
