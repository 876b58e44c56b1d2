/* SPDX-License-Identifier: MIT */
#include "versions.h"

#include <string.h>

/* The word after @before in @text, if it begins with a digit; free with g_free. */
static char *version_after(const char *text, gsize size, const char *before)
{
    const char *end = text + size;
    const char *at = text;
    while ((at = memmem(at, (gsize)(end - at), before, strlen(before))) != NULL) {
        at += strlen(before);
        gsize length = 0;
        while (at + length < end && g_ascii_isgraph(at[length]))
            length++;
        if (length > 0 && g_ascii_isdigit(at[0]))
            return g_strndup(at, length);
    }
    return NULL;
}

/* The banner is in the image, since it is not compressed. */
char *berth_versions_kernel(const char *path)
{
    g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, NULL);
    if (file == NULL || g_mapped_file_get_contents(file) == NULL)
        return NULL;
    return version_after(g_mapped_file_get_contents(file), g_mapped_file_get_length(file),
                         "Linux version ");
}

char *berth_versions_emulator(const char *program)
{
    char *argv[] = {(char *)program, (char *)"--version", NULL};
    g_autofree char *output = NULL;
    if (!g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL,
                      NULL, &output, NULL, NULL, NULL))
        return NULL;
    return version_after(output, strlen(output), "version ");
}

void berth_versions_find(Berth *berth, char **ret_kernel, char **ret_emulator)
{
    g_autoptr(BerthDistro) any = berth_distro_new("any");
    g_autoptr(BerthMachine) machine = berth_handle_machine(berth, any, NULL);
    *ret_kernel = machine != NULL ? berth_versions_kernel(machine->kernel) : NULL;
    *ret_emulator = machine != NULL ? berth_versions_emulator(machine->emulator) : NULL;
}
