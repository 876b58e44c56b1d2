/* SPDX-License-Identifier: MIT
 *
 * berth_throwaway — clones that live as long as a process. A part of the public interface
 * (berth.h).
 *
 * A throw-away clone is a distro of its own, with its template's content and settings, for as long
 * as the process that made it. When that process ends in whatever way, the clone is stopped by
 * force at once; what is left on the disk, also after a reboot of the host, is removed by the next
 * process that lists or starts a distro.
 */
#pragma once

#include "berth_handle.h"

G_BEGIN_DECLS

typedef struct BerthThrowaway BerthThrowaway;

/* Make a throw-away clone of the distro @template (NULL: the default one), which is not
 * started yet: berth_connect_with its name, and @isolated as given here. A template that runs, is
 * suspended or parked is cloned with its memory, so that the clone goes on where it is, without a
 * boot; where that does not fit any more, it boots. The disks share blocks if the host's file
 * system can. Several processes that clone the same template take turns. @progress is called as by
 * berth_clone, and with 0 bytes while a start of the clone waits: return false to cancel. @berth
 * must outlive the clone; one at a time. Errors: "distro.*", "suspend.*", "clone.*". */
BerthThrowaway *berth_throwaway_new(Berth *berth, const char *template, bool isolated,
                                    BerthWorkFunc progress, gpointer user_data, GError **error);

/* Both borrowed: the clone's name, and its template's. */
const char *berth_throwaway_name(const BerthThrowaway *clone);
const char *berth_throwaway_template(const BerthThrowaway *clone);

/* Stop @clone by force, remove it with its disk and free it, also after an error. */
bool berth_throwaway_remove(BerthThrowaway *clone, GError **error);

G_END_DECLS
