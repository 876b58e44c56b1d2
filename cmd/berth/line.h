/* SPDX-License-Identifier: MIT
 *
 * line — joins the words of a command line to one line for a shell, as wsl.exe does.
 *
 * A word without blanks is copied unquoted, so that the shell expands '*.c' and '$HOME'. A word
 * with blanks, and an empty one, is put in double quotes: the shell still expands $ and ` in it,
 * unless escaped by a backslash; all other bytes are literal.
 */
#pragma once

/* @words is NULL-terminated and not empty. A single word is copied unchanged. Free with g_free. */
char *line_from_words(char *const *words);
