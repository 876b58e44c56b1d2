/* SPDX-License-Identifier: MIT */
#include "zone.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

char *berth_zone_name(const char *link)
{
    static const char directory[] = "/zoneinfo/";
    char target[PATH_MAX];
    ssize_t length = readlink(link, target, sizeof(target) - 1);
    target[MAX(length, 0)] = '\0';
    const char *name = strstr(target, directory);
    return g_strdup(name != NULL ? name + strlen(directory) : "");
}
