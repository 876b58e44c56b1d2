/* SPDX-License-Identifier: MIT
 *
 * berth-checkpoint DATA ID PLAN — takes one automatic snapshot of a running distro.
 *
 * Started by its keeper, which opens neither registry nor images. DATA is berth's data directory,
 * PLAN the setting checkpoint. The result is one line on standard output:
 *
 *     taken TAG USEC    the distro stood still for USEC
 *     early SECONDS     another snapshot is that much too new
 *     busy              another command works on the distro
 *     failed MESSAGE
 */
#include "base/text.h"
#include "lifecycle/checkpoint.h"

#include <signal.h>
#include <stdio.h>

#define MESSAGE_MAX 800

static void print_report(const BerthCheckpointReport *report)
{
    if (report->outcome == BERTH_CHECKPOINT_TAKEN)
        printf("taken %s %" G_GINT64_FORMAT "\n", report->tag, report->pause_usec);
    else if (report->outcome == BERTH_CHECKPOINT_EARLY)
        printf("early %u\n", report->left_sec);
    else
        printf("busy\n");
}

/* The layout of the berth that started the keeper, whose environment the keeper does not have. */
static Berth *open_berth(const char *data, GError **error)
{
    g_autofree char *parent = g_path_get_dirname(data);
    g_auto(GStrv) environment = g_environ_setenv(g_get_environ(), "XDG_DATA_HOME", parent, TRUE);
    const BerthLayoutSupport support = {.installed = BERTH_SUPPORT_DIR};
    return berth_handle_new((const char *const *)environment, &support, error);
}

static bool take(char **argv, GError **error)
{
    BerthCheckpointPlan plan;
    g_auto(BerthCheckpointReport) report = {0};
    if (!berth_checkpoint_parse(argv[3], &plan, error))
        return false;
    Berth *berth = open_berth(argv[1], error);
    if (berth == NULL)
        return false;
    bool ok = berth_checkpoint_take(berth, argv[2], &plan, &report, error);
    if (ok)
        print_report(&report);
    berth_handle_free(berth);
    return ok;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    if (argc != 4) {
        fputs("berth-checkpoint: usage: berth-checkpoint DATA ID PLAN (started by berth-keeper)\n",
              stderr);
        return 2;
    }
    signal(SIGXFSZ, SIG_IGN); /* what is too large for a limit is an error like a full disk */
    if (take(argv, &error))
        return 0;
    g_autofree char *message = berth_text_clean(error->message, MESSAGE_MAX);
    printf("failed %s\n", message);
    return 1;
}
