/* SPDX-License-Identifier: MIT */
#include "snapshot_text.h"

#include "print.h"

#include <stdio.h>
#include <unistd.h>

static void on_notice(const char *line, gpointer user_data)
{
    if (isatty(STDERR_FILENO))
        print_notice(line);
}

BerthSnapshotFuncs snapshot_funcs(Work *work, const Invocation *invocation)
{
    return (BerthSnapshotFuncs){.progress = work_goes_on,
                                .notice = on_notice,
                                .user_data = work,
                                .memory = !invocation_flag(invocation, "disk")};
}

char *snapshot_time(gint64 usec)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_local(usec / G_USEC_PER_SEC);
    return time != NULL ? g_date_time_format(time, "%Y-%m-%d %H:%M:%S") : g_strdup("-");
}

static void print_restoration(const char *name, const BerthRestoration *restoration)
{
    g_autofree char *time = snapshot_time(restoration->taken_usec);
    g_autofree char *age = print_duration(g_get_real_time() - restoration->taken_usec);
    if (restoration->unchanged)
        printf("%s has not changed since %s, %s ago (%s)\n", name, time, age, restoration->tag);
    else
        printf("%s is as it was at %s, %s ago (%s)\n", name, time, age, restoration->tag);
    if (restoration->memory)
        printf("its programs continue with the next command\n");
    if (restoration->kept != NULL)
        printf("to take that back: berth restore %s %s\n", name, restoration->kept);
}

int snapshot_restore(const Invocation *invocation, const char *name, const char *tag,
                     GError **error)
{
    Work work;
    g_auto(BerthRestoration) restoration = {0};
    bool terminate = invocation_flag(invocation, "terminate");
    work_begin(&work, name);
    const BerthSnapshotFuncs funcs = snapshot_funcs(&work, invocation);
    bool ok = berth_snapshot_restore(invocation->berth, name, tag, terminate, &funcs, &restoration,
                                     error);
    work_end(&work);
    if (ok)
        print_restoration(name, &restoration);
    return ok ? 0 : -1;
}
