/* SPDX-License-Identifier: MIT
 *
 * line — the words of a command line as one line for a shell, as wsl.exe makes it.
 *
 * A word without blanks goes into the line as it is: the shell reads it, so that '*.c' and '$HOME'
 * mean what they mean there. A word with blanks, or an empty one, stays one word, in double quotes:
 * of it the shell expands $ and `, where no backslash is before them; every other byte arrives.
 */
#pragma once

/* @words is NULL-terminated and not empty. A single word is the line. Free with g_free. */
char *line_from_words(char *const *words);
