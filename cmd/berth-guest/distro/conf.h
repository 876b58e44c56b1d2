/* SPDX-License-Identifier: MIT
 *
 * conf — parser of wsl.conf's grammar, entry by entry. Pure: text in, entries out.
 *
 *     file    = line*
 *     line    = [section] [comment] | [key = value] [comment]     lines end with LF or CRLF
 *     section = "[" name "]"
 *     name    = a letter, then letters and digits
 *     value   = characters, "quoted" where # or outer spaces belong to it; \" \\ \n \t \b, and \ at
 *               the end of a line goes on in the next one
 *     comment = # ...
 *
 * A syntax error is one entry of kind CONF_BAD; parsing continues with the next line.
 */
#pragma once

#include <stdbool.h>

typedef enum { CONF_SECTION, CONF_VALUE, CONF_BAD } ConfKind;

/* All strings are borrowed from the reader's text, until the next entry is read. */
typedef struct {
    ConfKind kind;
    unsigned line;     /* first line, from 1 */
    const char *name;  /* of the section or key; NULL for CONF_BAD */
    const char *value; /* of the key, or the error */
} ConfEntry;

typedef struct {
    char *next;
    unsigned line; /* of @next */
    char problem[64];
} ConfReader;

/* Begin to parse @text, which is NUL-terminated and modified in place. */
void conf_begin(ConfReader *reader, char *text);

/* False at the end. */
bool conf_next(ConfReader *reader, ConfEntry *ret_entry);
