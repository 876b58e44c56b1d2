/* SPDX-License-Identifier: MIT
 *
 * up_run — performs a plan of up_plan.h, each step as a process of berth's own, and keeps which
 * steps were done.
 *
 * Beside the distro's console log are "up", a line "DIGEST TITLE" for each step that was done, and
 * "up.log", which has what they printed. Both go with the distro.
 */
#pragma once

#include "berth.h"
#include "up_plan.h"

typedef struct {
    Berth *berth;
    const char *name;      /* of the distro */
    const char *directory; /* of the project, absolute */
    const GPtrArray *plan; /* UpStep * */
    bool again;            /* perform what was done, too */
    bool existing;         /* a distro that no up made is set up, too */
} UpRun;

/* Perform the steps that were not done, or have changed, then start the distro. Errors:
 * "up.exists", "up.busy", "up.step". */
bool up_run(const UpRun *run, GError **error);
