/* SPDX-License-Identifier: MIT
 *
 * berth-man SCHEMAS DIR PAGE... — writes each PAGE, "berth.1", "berth.conf.5", "berth-json.5" or
 * "berth-COMMAND.1", into DIR at build time, "berth-json.5" from the directory SCHEMAS. Fails if a
 * command has no page among them, so that the build's list cannot be incomplete.
 */
#include "mdoc.h"
#include "mdoc_json.h"

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
    g_autoptr(GString) json = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    if (argc < 3)
        return 2;
    mdoc_add_overview(overview);
    mdoc_add_settings(settings);
    if (!mdoc_add_json(json, argv[1], &error)) {
        fprintf(stderr, "berth-man: %s: %s\n", argv[1], error->message);
        return 1;
    }
    const char *directory = argv[2];
    bool ok = write_page(directory, "berth.1", overview) &&
              write_page(directory, "berth.conf.5", settings) &&
              write_page(directory, "berth-json.5", json);
    for (gsize i = 0; ok && commands[i] != NULL; i++)
        if (!commands[i]->hidden)
            ok = write_command(directory, commands[i], argv + 3);
    return ok ? 0 : 1;
}
