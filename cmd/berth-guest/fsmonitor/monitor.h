/* SPDX-License-Identifier: MIT
 *
 * monitor — the process that follows one worktree for one user, and questions to it.
 *
 * It listens at an abstract Unix address, which leaves no file and belongs to one process at most;
 * each side checks that the other is the same user. A question is a token, up to the end of the
 * stream; the answer is its size, 8 bytes, and its bytes, so that one which is cut shows.
 */
#pragma once

#include <stddef.h>

/* Have the monitor of the directory @root answer @token; starts it where there is none. free()
 * *ret_answer. -errno: there is no answer. */
int monitor_ask(int root, const char *token, char **ret_answer, size_t *ret_size);
