/* SPDX-License-Identifier: MIT
 *
 * dns_query — builds DNS queries.
 */
#pragma once

#include "packets.h"

#include <string.h>

#define DNS_QUERY_MAX 400

/* Build a query for @name, labels separated by dots; returns its size. */
static inline gsize make_query(guint8 *bytes, guint id, const char *name, guint type)
{
    gsize at = 12;
    memset(bytes, 0, 12);
    put_u16(bytes, id);
    put_u16(bytes + 2, 0x0100);
    put_u16(bytes + 4, 1);
    while (*name != '\0') {
        gsize label = strcspn(name, ".");
        bytes[at++] = (guint8)label;
        memcpy(bytes + at, name, label);
        at += label;
        name += label;
        name += *name == '.';
    }
    bytes[at++] = 0;
    put_u16(bytes + at, type);
    put_u16(bytes + at + 2, 1);
    return at + 4;
}

/* The same with an OPT record appended. */
static inline gsize make_extended_query(guint8 *bytes, guint id, const char *name, guint type)
{
    gsize at = make_query(bytes, id, name, type);
    memset(bytes + at, 0, 11);
    put_u16(bytes + at + 1, 41);
    put_u16(bytes + at + 3, 4096);
    put_u16(bytes + 10, 1);
    return at + 11;
}
