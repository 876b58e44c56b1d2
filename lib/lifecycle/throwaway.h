/* SPDX-License-Identifier: MIT
 *
 * throwaway — clones that exist only while the process that makes them runs.
 *
 * Such a clone is a registered distro with a template (model/distro.h). Three things follow the
 * process, so that its end in any way ends the clone:
 *
 *   - its claim for BERTH_WORK_RUN, which it holds for the clone's whole life: all other work on
 * the clone, and a start by another process, are refused as "distro.busy";
 *   - its keeper, which is told the process (model/machine.h) and stops by force when that ends;
 *   - a clone in the registry without a holder of the claim is left over: berth_throwaway_clean.
 */
#pragma once

#include "handle.h"

#include "manage/work.h"

G_BEGIN_DECLS

typedef struct BerthThrowaway BerthThrowaway;

/* Clone the distro @template (NULL: the default one); one that runs, is suspended or parked with
 * its memory, for a start with @isolated as given, if that can be had. Processes that clone the
 * same one wait for each other. Until the end of the clone, waiting requests of @berth also call
 * @progress, which returns false to cancel. Errors: "distro.*", "suspend.*", "clone.*". */
BerthThrowaway *berth_throwaway_make(Berth *berth, const char *template, bool isolated,
                                     BerthWorkFunc progress, gpointer user_data, GError **error);

/* Borrowed. */
const BerthDistro *berth_throwaway_distro(const BerthThrowaway *clone);

/* Stop @clone by force, remove it and free it, also after an error. The blocks of its disk may be
 * given back to the file system a moment later. */
bool berth_throwaway_end(BerthThrowaway *clone, GError **error);

/* Remove the clones that ended processes left. Those that cannot be removed stay for the next call;
 * no errors. Costs one query of the registry when there are none. */
void berth_throwaway_clean(Berth *berth);

G_END_DECLS
