/* SPDX-License-Identifier: MIT
 *
 * tilde — paths that the host passes on as its user wrote them.
 */
#pragma once

/* The path without a leading "~" or "~/", since sessions start at home. Points into @path, or to a
 * static string. */
char *tilde_remove(char *path);
