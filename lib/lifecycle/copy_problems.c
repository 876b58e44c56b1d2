/* SPDX-License-Identifier: MIT */
#include "copy_problems.h"

#include "base/error.h"
#include "base/text.h"

#include <errno.h>

/* By TransferStep; `text` has a "%s" for the path. */
static const struct {
    const char *id;
    const char *text;
    const char *hint; /* or NULL */
    bool source;      /* the path is on the side of the sender */
} steps[TRANSFER_STEPS] = {
    [TRANSFER_STEP_OPEN] = {"cp.open", "cannot open \"%s\"", NULL, true},
    [TRANSFER_STEP_READ] = {"cp.read", "cannot read \"%s\"", NULL, true},
    [TRANSFER_STEP_DIRECTORY] = {"cp.directory", "\"%s\" is a directory",
                                 "copy directories with -r", true},
    [TRANSFER_STEP_SPECIAL] = {"cp.special", "\"%s\" is a device, a socket or a FIFO", NULL, true},
    [TRANSFER_STEP_DEPTH] = {"cp.depth", "\"%s\" is nested too deeply",
                             "copy the inner directories by themselves", true},
    [TRANSFER_STEP_SOURCE_ATTRIBUTES] = {"cp.read", "cannot read the extended attributes of \"%s\"",
                                         NULL, true},
    [TRANSFER_STEP_TARGET] = {"cp.target", "cannot copy to \"%s\"", NULL, false},
    [TRANSFER_STEP_CREATE] = {"cp.create", "cannot create \"%s\"", NULL, false},
    [TRANSFER_STEP_WRITE] = {"cp.write", "cannot write \"%s\"", NULL, false},
    [TRANSFER_STEP_LINK] = {"cp.link", "cannot link \"%s\"", NULL, false},
    [TRANSFER_STEP_ATTRIBUTES] = {"cp.attributes", "cannot set the extended attributes of \"%s\"",
                                  NULL, false},
    [TRANSFER_STEP_METADATA] = {"cp.metadata", "cannot set the permissions and times of \"%s\"",
                                NULL, false},
    [TRANSFER_STEP_SKIPPED] = {"cp.special",
                               "\"%s\" is left out: it is a device, a socket or a FIFO", NULL,
                               true},
};

void berth_copy_problems_clear(BerthCopyProblems *problems)
{
    g_clear_error(&problems->first);
}

/* "debian:path" where it is in a distro. */
static char *show_path(const BerthCopyPlace *place, const char *path)
{
    g_autofree char *shown = berth_text_escape(path);
    return place->connection >= 0 ? g_strconcat(place->name, ":", shown, NULL)
                                  : g_steal_pointer(&shown);
}

static GError *make_error(const BerthCopyOptions *copy, const TransferProblem *problem)
{
    GError *error = NULL;
    bool source = steps[problem->step].source;
    g_autofree char *path = show_path(source ? &copy->from : &copy->to, problem->path);
    g_auto(GStrv) halves = g_strsplit(steps[problem->step].text, "%s", 2);
    g_autofree char *text = g_strconcat(halves[0], path, halves[1], NULL);
    if (problem->error == 0)
        berth_error_set(&error, BERTH_ERROR_INVALID, steps[problem->step].id,
                        steps[problem->step].hint, "%s", text);
    else
        berth_error_set_errno(&error, problem->error, steps[problem->step].id, "%s", text);
    return error;
}

/* Left out on purpose, or because the file system there has no such thing. */
static bool is_notice(const TransferProblem *problem)
{
    return problem->step == TRANSFER_STEP_SKIPPED ||
           (problem->step == TRANSFER_STEP_ATTRIBUTES && problem->error == ENOTSUP);
}

void berth_copy_problems_add(BerthCopyProblems *problems, const TransferProblem *problem)
{
    const BerthCopyOptions *copy = problems->copy;
    g_autoptr(GError) error = make_error(copy, problem);
    if (is_notice(problem)) {
        copy->line(error->message, copy->user_data);
        return;
    }
    if (problems->count++ == 0) {
        problems->first = g_steal_pointer(&error);
        return;
    }
    if (problems->count == 2)
        copy->line(problems->first->message, copy->user_data);
    copy->line(error->message, copy->user_data);
}

bool berth_copy_problems_end(BerthCopyProblems *problems, GError **error)
{
    if (problems->count == 0)
        return true;
    if (problems->count == 1)
        g_propagate_error(error, g_steal_pointer(&problems->first));
    else
        berth_error_set(error, BERTH_ERROR_FAILED, "cp.incomplete", NULL,
                        "%u entries could not be copied", problems->count);
    return false;
}
