/* SPDX-License-Identifier: MIT
 *
 * berth snapshot — takes a snapshot of a distro's disk, or removes some.
 */
#include "commands.h"

#include "snapshot_text.h"

#include <stdio.h>
#include <string.h>

static const Option options[] = {
    {"disk", 0, NULL, "Save only the disk, not the memory"},
    {"remove", 0, NULL, "Remove the snapshots TAG... instead of taking one"},
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
    .summary = "Take a snapshot of a distro's disk and memory",
    .details =
        "\"berth undo NAME\" returns to the last snapshot, and \"berth restore NAME TAG\" to\n"
        "any. Without TAG, the snapshot's name is the time; the command prints it. Where\n"
        "the host's file system can share blocks (btrfs, XFS), a snapshot takes no time,\n"
        "and space only for later changes. Elsewhere it is a full copy, and the command\n"
        "first prints its size.\n"
        "\n"
        "A running distro pauses while the snapshot is taken; its programs and\n"
        "connections continue afterwards. The snapshot of a running or suspended distro\n"
        "also contains its memory: after \"berth restore\", the next command finds the\n"
        "programs as they were, without booting. The memory takes as much disk space as\n"
        "the distro uses, often some hundred MB; --disk leaves it out. The memory can be\n"
        "restored only with the same QEMU, kernel and settings; otherwise a restore uses\n"
        "the disk only.\n"
        "\n"
        "With the setting checkpoint, berth also takes snapshots by itself, of the disk\n"
        "only: berth set NAME checkpoint=\"every 30min keep 5\". Snapshots are in the\n"
        "directory of the disk: \"berth move\" moves them, and \"berth unregister\" deletes\n"
        "them. Clones and exports do not contain them.",
    .min_arguments = 1,
    .max_arguments = -1,
    .options = options,
    .run = run,
};
