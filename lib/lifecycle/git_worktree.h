/* SPDX-License-Identifier: MIT
 *
 * git_worktree — finds the repository that a worktree of git needs.
 *
 * A worktree has a file ".git" with "gitdir: REPOSITORY/worktrees/NAME". Where only the worktree is
 * shared, git in the distro finds no repository.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The repository, resolved, of the worktree that @directory is the top of; free with g_free. NULL:
 * it is none, its repository is within @directory, or another user owns the file or the repository:
 * his files do not decide what this user is advised to share. Reads at most 4096 bytes, and follows
 * no link in place of ".git". */
char *berth_git_worktree_repository(const char *directory);

G_END_DECLS
