/* SPDX-License-Identifier: MIT */
#include "interfaces.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLANKS " \t\n"

static bool is_absent(const char *name)
{
    char patterns[] = INTERFACES_ABSENT;
    char *rest = NULL;
    for (char *pattern = strtok_r(patterns, " ", &rest); pattern != NULL;
         pattern = strtok_r(NULL, " ", &rest))
        if (fnmatch(pattern, name, 0) == 0)
            return strlen(name) < IFNAMSIZ;
    return false;
}

static void read_line(char *text, unsigned line, InterfacesEach each, void *data)
{
    char *rest = NULL;
    const char *keyword = strtok_r(text, BLANKS, &rest);
    if (keyword == NULL || (strcmp(keyword, "auto") != 0 && strcmp(keyword, "allow-auto") != 0))
        return;
    for (const char *name = strtok_r(NULL, BLANKS, &rest); name != NULL;
         name = strtok_r(NULL, BLANKS, &rest))
        if (is_absent(name))
            each(data, line, name);
}

void interfaces_each_absent(int root, InterfacesEach each, void *data)
{
    int fd = openat(root, "etc/network/interfaces", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (file == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    char *text = NULL;
    size_t size = 0;
    for (unsigned line = 1; getline(&text, &size, file) >= 0; line++)
        read_line(text, line, each, data);
    free(text);
    fclose(file);
}
