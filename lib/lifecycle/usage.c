/* SPDX-License-Identifier: MIT */
#include "usage.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char *read_proc(guint pid, const char *name)
{
    char *text = NULL;
    g_autofree char *path = g_strdup_printf("/proc/%u/%s", pid, name);
    return g_file_get_contents(path, &text, NULL, NULL) ? text : NULL;
}

/* The kernel has one line "Pss: N kB" for the whole process. */
static guint64 memory_of(guint pid)
{
    guint64 kibibytes = 0;
    g_autofree char *text = read_proc(pid, "smaps_rollup");
    const char *line = text != NULL ? strstr(text, "\nPss:") : NULL;
    if (line == NULL || sscanf(line, "\nPss: %" G_GUINT64_FORMAT, &kibibytes) != 1)
        return 0;
    return kibibytes << 10;
}

/* The fields behind the name, which may have anything in it: proc(5). */
static guint64 processor_of(guint pid)
{
    guint64 user = 0;
    guint64 system = 0;
    g_autofree char *text = read_proc(pid, "stat");
    const char *rest = text != NULL ? strrchr(text, ')') : NULL;
    if (rest == NULL || sscanf(rest,
                               ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" G_GUINT64_FORMAT
                               " %" G_GUINT64_FORMAT,
                               &user, &system) != 2)
        return 0;
    return (user + system) * G_USEC_PER_SEC / (guint64)sysconf(_SC_CLK_TCK);
}

static void add(BerthUsage *usage, guint pid)
{
    usage->memory += memory_of(pid);
    usage->processor_usec += processor_of(pid);
}

BerthUsage berth_usage_read(guint pid)
{
    BerthUsage usage = {0};
    if (pid == 0)
        return usage;
    add(&usage, pid);
    g_autofree char *name = g_strdup_printf("task/%u/children", pid);
    g_autofree char *text = read_proc(pid, name);
    g_auto(GStrv) children = g_strsplit(text != NULL ? text : "", " ", -1);
    for (gsize i = 0; children[i] != NULL; i++) {
        guint64 child;
        if (g_ascii_string_to_unsigned(g_strstrip(children[i]), 10, 1, G_MAXUINT, &child, NULL))
            add(&usage, (guint)child);
    }
    return usage;
}
