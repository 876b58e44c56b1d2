/* SPDX-License-Identifier: MIT */
#include "path.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

size_t path_push(Path *path, const char *name)
{
    size_t before = path->length;
    size_t size = strlen(name);
    bool slash = before > 0 && path->text[before - 1] != '/';
    size_t wanted = before + slash + size + 1;
    if (wanted > path->capacity) {
        char *text = realloc(path->text, wanted * 2);
        if (text == NULL)
            return before;
        path->text = text;
        path->capacity = wanted * 2;
    }
    if (slash)
        path->text[before] = '/';
    memcpy(path->text + before + slash, name, size + 1);
    path->length = wanted - 1;
    return before;
}

void path_pop(Path *path, size_t length)
{
    path->length = length;
    if (path->text != NULL)
        path->text[length] = '\0';
}

const char *path_text(const Path *path)
{
    return path->text != NULL ? path->text : "";
}

void path_clear(Path *path)
{
    free(path->text);
    *path = (Path){0};
}
