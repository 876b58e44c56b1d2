/* SPDX-License-Identifier: MIT
 *
 * berth cache — shows and deletes the images that speed up the next import of the same archive.
 */
#include "commands.h"

#include "action.h"
#include "base/size.h"
#include "json.h"
#include "print.h"

#include <stdio.h>
#include <string.h>

static const Option options[] = {
    {"all", 0, NULL, "With prune: remove all images, not only those above the limit"},
    {"json", 0, NULL, "With ls: for programs, as JSON"},
    {NULL},
};

static void print_table(const GPtrArray *images)
{
    static const char *const headings[] = {"KEY", "SIZE", "USED", "ARCHIVE", NULL};
    g_autoptr(Table) table = table_new(headings);
    for (guint i = 0; i < images->len; i++) {
        const BerthCached *image = images->pdata[i];
        g_autofree char *age = print_duration(g_get_real_time() - image->used_usec);
        table_add(table, image->key);
        table_add_take(table, berth_size_format(image->disk_used));
        table_add_take(table, g_strdup_printf("%s ago", age));
        table_add(table, image->origin);
    }
    table_print(table);
}

static void print_json(const GPtrArray *images, const char *directory, guint64 limit)
{
    Json *json = json_begin(false);
    json_add_string(json, "directory", directory);
    json_add_number(json, "limit", limit);
    json_begin_array(json, "images");
    for (guint i = 0; i < images->len; i++) {
        const BerthCached *image = images->pdata[i];
        json_begin_object(json, NULL);
        json_add_string(json, "key", image->key);
        json_add_string(json, "archive", image->origin);
        json_add_number(json, "archive_size", image->archive_size);
        json_add_number(json, "disk_size", image->disk_size);
        json_add_number(json, "disk_used", image->disk_used);
        json_add_time(json, "used", image->used_usec);
        json_end(json);
    }
    json_end(json);
    json_print(json);
}

static int list(Invocation *invocation, GError **error)
{
    g_autofree char *directory = NULL;
    guint64 limit = 0;
    g_autoptr(GPtrArray) images = berth_cache_images(invocation->berth, &directory, &limit, error);
    if (images == NULL)
        return -1;
    if (invocation_flag(invocation, "json"))
        print_json(images, directory, limit);
    else
        print_table(images);
    return 0;
}

static int prune(Invocation *invocation, GError **error)
{
    guint count = 0;
    guint64 freed = 0;
    bool all = invocation_flag(invocation, "all");
    if (!berth_cache_clean(invocation->berth, all, &count, &freed, error))
        return -1;
    g_autofree char *size = berth_size_format(freed);
    printf("removed %u %s, %s\n", count, count == 1 ? "image" : "images", size);
    return 0;
}

static const Action actions[] = {
    {"ls", 1, 1, "all", list}, {"list", 1, 1, "all", list}, {"prune", 1, 1, "json", prune}, {NULL}};

static int run(Invocation *invocation, GError **error)
{
    return action_run(actions, "usage: berth cache ls [--json], berth cache prune [--all]",
                      invocation, error);
}

const Command command_cache = {
    .name = "cache",
    .synopsis = "ls|prune [OPTION]...",
    .completes = "ls|prune",
    .summary = "List or remove the disk images kept for the next import",
    .details = "When you import the same archive again, berth copies the kept image instead of\n"
               "reading the archive. SIZE is an image's disk space, including blocks that it\n"
               "shares with distros. The setting cache-size limits the total; berth removes the\n"
               "least recently used image first.",
    .min_arguments = 1,
    .max_arguments = 1,
    .options = options,
    .run = run,
};
