/* SPDX-License-Identifier: MIT */
#include "path_text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Append the component of @length bytes at @name to the clean path of *@size bytes at @out. */
static void add_component(char *out, size_t *size, const char *name, size_t length)
{
    if (length == 0 || (length == 1 && name[0] == '.'))
        return;
    if (length == 2 && name[0] == '.' && name[1] == '.') {
        while (*size > 0 && out[--*size] != '/')
            continue;
        return;
    }
    out[(*size)++] = '/';
    memcpy(out + *size, name, length);
    *size += length;
}

static char *make_absolute(const char *base, const char *path)
{
    char *joined;
    int size =
        path[0] == '/' ? asprintf(&joined, "%s", path) : asprintf(&joined, "%s/%s", base, path);
    return size >= 0 ? joined : NULL;
}

char *path_clean(const char *base, const char *path)
{
    char *whole = make_absolute(base, path);
    char *out = whole != NULL ? malloc(strlen(whole) + 2) : NULL;
    size_t size = 0;
    for (const char *next = whole; out != NULL && *next != '\0';) {
        size_t length = strcspn(next, "/");
        add_component(out, &size, next, length);
        next += length + (next[length] == '/');
    }
    if (out != NULL && size == 0)
        out[size++] = '/';
    if (out != NULL)
        out[size] = '\0';
    free(whole);
    return out;
}

/* Shorten @path by its last component; false: it is "/". */
static bool remove_last(char *path)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    while (length > 1 && path[length - 1] != '/')
        length--;
    bool shorter = length < strlen(path);
    path[length] = '\0';
    return shorter;
}

char *path_resolve(const char *base, const char *path)
{
    char *whole = make_absolute(base, path);
    char *start = whole != NULL ? strdup(whole) : NULL;
    char *real = NULL;
    while (start != NULL && (real = realpath(start, NULL)) == NULL && remove_last(start))
        continue;
    const char *rest = start != NULL ? whole + strlen(start) : "";
    rest += strspn(rest, "/");
    char *result = real != NULL ? path_clean(real, rest) : NULL;
    free(whole);
    free(start);
    free(real);
    return result;
}
