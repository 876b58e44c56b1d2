/* SPDX-License-Identifier: MIT
 *
 * fsmonitor — `berth-fsmonitor VERSION TOKEN`, for git's core.fsmonitor: what has changed in the
 * worktree, the current directory, since the answer that had TOKEN. The first call for a worktree
 * leaves a process behind that follows its changes (watcher.h) and answers all further ones; it
 * ends after an hour without a question.
 */
#pragma once

#define FSMONITOR_NAME "berth-fsmonitor"

/* Returns the exit status. */
int fsmonitor_run(int argc, char **argv);
