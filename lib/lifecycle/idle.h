/* SPDX-License-Identifier: MIT
 *
 * idle — what keeps a distro awake, and `berth keep`, which does.
 */
#pragma once

#include "handle.h"

#include "model/guest_use.h"

G_BEGIN_DECLS

typedef struct {
    char *name;
    char *state; /* the keeper's, "stopped" or "unresponsive" */
    char *idle;  /* as in berth.conf, of the running distro or of its next start */
    guint idle_timeout_sec;
    char *awake;       /* model/idle.h's word; NULL unless it runs */
    guint64 idle_usec; /* until it is taken for idle; BERTH_NOT_FORESEEN */
    guint64 kept_usec; /* that are left of berth keep; BERTH_NOT_FORESEEN: until it stops */
    gint64 due_usec;   /* time of day at which the distro wakes, or is awake, by itself; 0: not */
    char *due_name;    /* why; or NULL */
    guint64 disk_size; /* apparent, bytes */
    guint64 disk_used; /* allocated on the host, bytes */
    BerthGuestUse use; /* all zero without a keeper */
    char *problem;     /* why it could not be suspended; or NULL */
    char *checkpoint;  /* the setting, of the running distro or of its next start; or NULL */
    gint64 checkpoint_usec;   /* time of day of the last automatic snapshot; 0: there is none */
    char *checkpoint_problem; /* why the last one was not taken; or NULL */
} BerthIdleReport;

void berth_idle_report_clear(BerthIdleReport *report);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthIdleReport, berth_idle_report_clear)

/* Fill the empty *@ret_report about @name; NULL: the default distro. Wakes and starts nothing.
 * Errors: "distro.*", "config.*"; "instance.version". */
bool berth_idle_ask(Berth *berth, const char *name, BerthIdleReport *ret_report, GError **error);

/* Keep @name awake for @seconds from now on, starting it if it is stopped; BERTH_KEEP_UNTIL_STOP.
 * 0: no longer, which a stopped distro takes for done. *@ret_notice is lines for the user, or NULL;
 * free with g_free. Errors: of berth_start_connect. */
bool berth_idle_keep_distro(Berth *berth, const char *name, guint32 seconds, char **ret_notice,
                            GError **error);

G_END_DECLS
