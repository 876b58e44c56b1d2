/* SPDX-License-Identifier: MIT */
#include "tilde.h"

#include <string.h>

char *tilde_remove(char *path)
{
    if (path[0] != '~' || (path[1] != '\0' && path[1] != '/'))
        return path;
    path += 1 + strspn(path + 1, "/");
    return *path != '\0' ? path : (char *)".";
}
