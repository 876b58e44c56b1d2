/* SPDX-License-Identifier: MIT
 *
 * berth diff — lists the files that a distro added, changed and deleted since a snapshot.
 */
#include "commands.h"

#include "base/text.h"
#include "json.h"
#include "print.h"
#include "snapshot_text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const Option options[] = {{"json", 0, NULL, "For programs, as JSON"}, {NULL}};

typedef struct {
    Work work;
    bool shows_progress;
    Json *json; /* NULL: as text */
} Listing;

static bool goes_on(guint64 bytes_done, guint64 bytes_total, gpointer user_data)
{
    Listing *listing = user_data;
    bool shown = listing->shows_progress;
    return work_goes_on(shown ? bytes_done : 0, shown ? bytes_total : 0, &listing->work);
}

static void print_line(const BerthDifferenceInfo *difference)
{
    g_autofree char *path = berth_text_escape_whole(difference->path);
    g_autofree char *aspects = g_strjoinv(", ", (char **)difference->aspects);
    bool is_below_root = strcmp(difference->path, "/") != 0;
    bool marks = is_below_root && strcmp(difference->type, "directory") == 0;
    printf("%-7s  %s%s", difference->change, path, marks ? "/" : "");
    if (aspects[0] != '\0')
        printf(" (%s)", aspects);
    putchar('\n');
}

static void print_object(Json *json, const BerthDifferenceInfo *difference)
{
    json_begin_object(json, NULL);
    json_add_string(json, "change", difference->change);
    json_add_string(json, "type", difference->type);
    json_add_string(json, "path", difference->path);
    json_begin_array(json, "aspects");
    for (gsize i = 0; difference->aspects[i] != NULL; i++)
        json_add_string(json, NULL, difference->aspects[i]);
    json_end(json);
    json_end(json);
    json_print_part(json);
}

static bool on_difference(const BerthDifferenceInfo *difference, gpointer user_data)
{
    Listing *listing = user_data;
    if (listing->json != NULL)
        print_object(listing->json, difference);
    else
        print_line(difference);
    return ferror(stdout) == 0;
}

static void end_json(Json *json, const BerthDiffResult *result)
{
    json_end(json);
    json_add_string(json, "old", result->old_tag);
    json_add_time(json, "old_taken", result->old_taken_usec);
    json_add_string(json, "new", result->new_tag);
    json_add_time(json, "new_taken", result->new_taken_usec);
    json_print(json);
}

static void end_text(const BerthDiffResult *result)
{
    fflush(stdout);
    if (!isatty(STDERR_FILENO))
        return;
    g_autofree char *time = snapshot_time(result->old_taken_usec);
    g_autofree char *age = print_duration(g_get_real_time() - result->old_taken_usec);
    g_autofree char *line = g_strdup_printf("compared with the snapshot %s, taken at %s, %s ago",
                                            result->old_tag, time, age);
    print_notice(line);
}

static int run(Invocation *invocation, GError **error)
{
    char **words = invocation->arguments;
    invocation->subject = words[0];
    const char *old = words[1], *new = old != NULL ? words[2] : NULL;
    Listing listing = {.shows_progress = !isatty(STDOUT_FILENO)};
    if (invocation_flag(invocation, "json")) {
        listing.json = json_begin(false);
        json_begin_array(listing.json, "differences");
    }
    const BerthDiffFuncs funcs = {goes_on, on_difference, &listing};
    g_auto(BerthDiffResult) result = {0};
    work_begin(&listing.work, words[0]);
    bool ok = berth_snapshot_diff(invocation->berth, words[0], old, new, &funcs, &result, error);
    work_end(&listing.work);
    if (!ok)
        g_clear_pointer(&listing.json, json_free);
    else if (listing.json != NULL)
        end_json(listing.json, &result);
    else
        end_text(&result);
    return ok ? 0 : -1;
}

const Command command_diff = {
    .name = "diff",
    .synopsis = "[OPTION]... NAME [TAG [TAG]]",
    .completes = "distro snapshot...",
    .summary = "List the files that changed since a snapshot",
    .details = "The command compares the distro's disk with the snapshot TAG or, without TAG,\n"
               "with the last snapshot that you took. The distro must be stopped. With two tags\n"
               "it compares two snapshots; give the older one first.\n"
               "\n"
               "It compares content, type, owner, mode, link target, device number, extended\n"
               "attributes and ACLs. It ignores times and sockets. It reads the content of every\n"
               "file, even if the times are equal. Control characters and bytes that are not\n"
               "UTF-8 are printed as \\ooo.",
    .min_arguments = 1,
    .max_arguments = 3,
    .options = options,
    .run = run,
};
