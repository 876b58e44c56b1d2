/* SPDX-License-Identifier: MIT
 *
 * conf — the grammar of wsl.conf and its kin, line by line. Pure: text in, entries out.
 *
 *     file    = line*
 *     line    = [section] [comment] | [key = value] [comment]     lines end with LF or CRLF
 *     section = "[" name "]"
 *     name    = a letter, then letters and digits
 *     value   = characters, "quoted" where # or outer spaces belong to it; \" \\ \n \t \b, and \ at
 *               the end of a line goes on in the next one
 *     comment = # ...
 *
 * What breaks it is one entry that says so, and reading goes on with the next line.
 */
#pragma once

#include <stdbool.h>

typedef enum { CONF_SECTION, CONF_VALUE, CONF_BAD } ConfKind;

/* All text is borrowed from the reader's, until the next entry is read. */
typedef struct {
    ConfKind kind;
    unsigned line;     /* where it begins, from 1 */
    const char *name;  /* of the section or key; NULL: bad */
    const char *value; /* the key's, or what is wrong */
} ConfEntry;

typedef struct {
    char *next;
    unsigned line; /* of @next */
    char problem[64];
} ConfReader;

/* Read @text, which is NUL-terminated and changed as it is read. */
void conf_begin(ConfReader *reader, char *text);

/* False at the end. */
bool conf_next(ConfReader *reader, ConfEntry *ret_entry);
