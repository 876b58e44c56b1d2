/* SPDX-License-Identifier: MIT */
#include "measure.h"

#include "file.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

/* "MemTotal:       16318412 kB" of a line that begins so; else *@value stays. */
static void read_line(const char *line, const char *name, uint64_t *value)
{
    size_t length = strlen(name);
    if (strncmp(line, name, length) != 0)
        return;
    const char *number = line + length + strspn(line + length, " \t");
    uint64_t kibibytes = isdigit((unsigned char)*number) ? strtoull(number, NULL, 10) : 0;
    *value = kibibytes <= UINT64_MAX / 1024 ? kibibytes * 1024 : 0;
}

void measure_memory(const char *text, Measure *measure)
{
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        read_line(line, "MemTotal:", &measure->memory);
        read_line(line, "MemAvailable:", &measure->memory_available);
    }
}

Measure measure_now(const char *proc, const char *root)
{
    Measure measure = {0};
    struct statvfs disk;
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/meminfo", proc);
    char *text = file_read(path);
    if (text != NULL)
        measure_memory(text, &measure);
    free(text);
    if (statvfs(root, &disk) == 0) {
        measure.disk = (uint64_t)disk.f_blocks * disk.f_frsize;
        measure.disk_used = (uint64_t)(disk.f_blocks - disk.f_bfree) * disk.f_frsize;
    }
    return measure;
}
