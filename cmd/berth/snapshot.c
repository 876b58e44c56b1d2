/* SPDX-License-Identifier: MIT
 *
 * berth snapshot — takes a snapshot of a distro's disk, or removes some.
 */
#include "commands.h"

#include "snapshot_text.h"

#include <stdio.h>
#include <string.h>

static const Option options[] = {
    {"disk", 0, NULL, "Keep the disk alone, without the memory of one that runs or is suspended"},
    {"remove", 0, NULL, "Remove the snapshots TAG..., instead of taking one"},
    {NULL},
};

static int remove_tags(Invocation *invocation, GError **error)
{
    const char *const *tags = (const char *const *)invocation->arguments + 1;
    if (tags[0] == NULL) {
        berth_error_set(error, BERTH_ERROR_INVALID, "usage.arguments",
                        "usage: berth snapshot --remove NAME TAG...", "an argument is missing");
        return -1;
    }
    return berth_snapshot_remove(invocation->berth, invocation->subject, tags, error) ? 0 : -1;
}

static int take(Invocation *invocation, GError **error)
{
    const char *tag = invocation->arguments[1];
    if (invocation->n_arguments > 2) {
        berth_error_set(error, BERTH_ERROR_INVALID, "usage.arguments",
                        "usage: berth snapshot NAME [TAG]", "too many arguments");
        return -1;
    }
    Work work;
    g_autofree char *taken = NULL;
    work_begin(&work, invocation->subject);
    const BerthSnapshotFuncs funcs = snapshot_funcs(&work, invocation);
    bool ok =
        berth_snapshot_take(invocation->berth, invocation->subject, tag, &funcs, &taken, error);
    work_end(&work);
    if (ok)
        printf("%s\n", taken);
    return ok ? 0 : -1;
}

/* Words of other programs, where there is no distro of that name. */
static void suggest(const char *word, GError **error)
{
    static const char *const rows[][2] = {
        {"rm", "berth snapshot --remove NAME TAG"},
        {"remove", "berth snapshot --remove NAME TAG"},
        {"delete", "berth snapshot --remove NAME TAG"},
        {"ls", "berth snapshots NAME"},
        {"list", "berth snapshots NAME"},
        {"create", "berth snapshot NAME TAG"},
        {"apply", "berth restore NAME TAG"},
        {"restore", "berth restore NAME TAG"},
    };
    if (!g_str_equal(berth_error_id(*error), "distro.not-found"))
        return;
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (strcmp(word, rows[i][0]) != 0)
            continue;
        g_autofree char *hint = g_strdup_printf("did you mean \"%s\"?", rows[i][1]);
        g_autofree char *message = g_strdup((*error)->message);
        g_clear_error(error);
        berth_error_set(error, BERTH_ERROR_NOT_FOUND, "distro.not-found", hint, "%s", message);
        return;
    }
}

static int run(Invocation *invocation, GError **error)
{
    g_autoptr(GError) problem = NULL;
    invocation->subject = invocation_first(invocation);
    int status = (invocation_flag(invocation, "remove") ? remove_tags : take)(invocation, &problem);
    if (problem != NULL) {
        suggest(invocation->subject, &problem);
        g_propagate_error(error, g_steal_pointer(&problem));
    }
    return status;
}

const Command command_snapshot = {
    .name = "snapshot",
    .synopsis = "[--disk] NAME [TAG], or --remove NAME TAG...",
    .completes = "distro snapshot...",
    .summary = "Keep a copy of a distro's disk and memory, to go back to",
    .details =
        "Without TAG the snapshot is called by the time; the name is printed. Where the host's\n"
        "file system can share blocks (btrfs, XFS), a snapshot takes no time, and space only for\n"
        "what changes later. Elsewhere it is a copy of the data: a line says how much before it\n"
        "begins. A running distro writes its files to the disk and stands still meanwhile: its\n"
        "programs and connections go on afterwards, and what wants it waits. Its snapshot has the\n"
        "memory, too, as has that of a suspended one: after \"berth restore\" the next command\n"
        "finds the programs as they were, without a boot. The memory takes as much disk space as\n"
        "it has pages in use, mostly some hundred MB; --disk leaves it out. A memory fits only\n"
        "the QEMU, the kernel and the settings that it was taken with: after a change of one, a\n"
        "restore has the disk alone. \"berth undo NAME\" goes back to the last snapshot,\n"
        "\"berth restore NAME TAG\" to any. With the setting checkpoint berth takes some by itself,\n"
        "of the disk alone: berth set NAME checkpoint=\"every 30min keep 5\". Snapshots are in the\n"
        "directory of the disk: they move with it, and \"berth unregister\" deletes them. A clone\n"
        "and an export have none.",
    .min_arguments = 1,
    .max_arguments = -1,
    .options = options,
    .run = run,
};
