/* SPDX-License-Identifier: MIT
 *
 * berth_idle — what berth does with idle distros, and what keeps a distro awake. A part of the
 * public interface (berth.h).
 */
#pragma once

#include "berth_usage.h"

G_BEGIN_DECLS

#define BERTH_UNTIL_STOP G_MAXUINT32

/* Keep @name awake for @seconds from now on, idle or not, and start it if it is stopped;
 * BERTH_UNTIL_STOP: until it stops; 0: no longer. *@ret_notice is lines for the user, or NULL; free
 * with g_free. Errors: those of berth_connect. */
bool berth_keep(Berth *berth, const char *name, guint32 seconds, char **ret_notice, GError **error);

typedef struct {
    char *name;
    char *state; /* as in BerthInfo */
    char *idle;  /* what becomes of it when it is idle: "suspend", "stop", "never" */
    guint idle_timeout_sec;
    char *awake; /* "begun", "command", "data", "processor", "network", "share", "due", "kept",
                    "retry", "setting": what keeps it awake, or did so last; NULL unless it runs */
    bool is_idle_known; /* idle_usec is valid */
    gint64 idle_usec;   /* until it is taken for idle, if nothing happens */
    bool is_kept;       /* by berth_keep */
    gint64 kept_usec;   /* so long; -1: until it stops */
    gint64 due_usec;  /* time of day at which a timer of the distro's is due, for which it wakes or
                         is awake; 0: none is known */
    char *due_name;   /* which; or NULL */
    char *problem;    /* why it could not be suspended; or NULL */
    char *checkpoint; /* the setting of automatic snapshots; NULL: none */
    gint64 checkpoint_usec;   /* time of day of the last one; 0: there is none */
    char *checkpoint_problem; /* why the last one was not taken; or NULL */
    guint64 disk_size;        /* apparent, bytes: as the guest sees it */
    guint64 disk_used;        /* allocated on the host, bytes */
    BerthDistroUse use;       /* all zero unless it runs or is suspended */
    bool autostart;           /* starts with the user's systemd */
} BerthIdleState;

void berth_idle_state_free(BerthIdleState *state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthIdleState, berth_idle_state_free)

/* Read what keeps @name awake, and until when. The call starts and wakes no distro. Errors:
 * "distro.*", "config.*", "instance.version". */
BerthIdleState *berth_idle_state(Berth *berth, const char *name, GError **error);

G_END_DECLS
