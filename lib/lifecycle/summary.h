/* SPDX-License-Identifier: MIT
 *
 * summary — totals over all distros, and the machine of a new distro.
 */
#pragma once

#include "handle.h"

#include "model/machine.h"

G_BEGIN_DECLS

typedef struct {
    char *default_distro; /* or NULL */
    guint distros, running;
    guint64 disk_used, memory_used; /* bytes on the host */
    BerthMachine *machine;          /* of a distro without a section in berth.conf */
} BerthSummary;

void berth_summary_clear(BerthSummary *summary);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BerthSummary, berth_summary_clear)

/* Fill the empty *@ret_summary. Errors: "distro.*", "config.*", "template.missing". */
bool berth_summary_make(Berth *berth, BerthSummary *ret_summary, GError **error);

G_END_DECLS
