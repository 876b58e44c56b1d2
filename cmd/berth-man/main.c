/* SPDX-License-Identifier: MIT
 *
 * berth-man DIR PAGE... — writes each PAGE, "berth.1", "berth.conf.5" or "berth-COMMAND.1", into
 * DIR at build time. Fails if a command has no page among them, so that the build's list cannot be
 * incomplete.
 */
#include "mdoc.h"

#include <stdio.h>

static char *page_name(const Command *command)
{
    return g_strdup_printf("berth-%s.1", command->name);
}

static bool write_page(const char *directory, const char *name, const GString *page)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    g_autoptr(GError) error = NULL;
    if (g_file_set_contents(path, page->str, (gssize)page->len, &error))
        return true;
    fprintf(stderr, "berth-man: %s\n", error->message);
    return false;
}

static bool write_command(const char *directory, const Command *command, char **wanted)
{
    g_autofree char *name = page_name(command);
    g_autoptr(GString) page = g_string_new(NULL);
    if (!g_strv_contains((const char *const *)wanted, name)) {
        fprintf(stderr, "berth-man: %s is missing in cmd/meson.build\n", name);
        return false;
    }
    mdoc_add_command(page, command);
    return write_page(directory, name, page);
}

int main(int argc, char **argv)
{
    g_autoptr(GString) overview = g_string_new(NULL);
    g_autoptr(GString) settings = g_string_new(NULL);
    if (argc < 2)
        return 2;
    mdoc_add_overview(overview);
    mdoc_add_settings(settings);
    bool ok =
        write_page(argv[1], "berth.1", overview) && write_page(argv[1], "berth.conf.5", settings);
    for (gsize i = 0; ok && commands[i] != NULL; i++)
        if (!commands[i]->hidden)
            ok = write_command(argv[1], commands[i], argv + 2);
    return ok ? 0 : 1;
}
