/* SPDX-License-Identifier: MIT
 *
 * reach — connects to the keepers of distros, and ends those that do not answer.
 *
 * A keeper is found by its directory or, where that was removed, by the lock of the disk it holds
 * (manage/hold.h).
 */
#pragma once

#include "handle.h"

#include "manage/hold.h"

G_BEGIN_DECLS

/* After which a keeper that should answer at once counts as stuck. */
#define BERTH_REACH_ANSWER_SEC 3

/* A connection to the keeper of @distro, wherever its runtime directory is. -1 on error.
 * Errors: BERTH_ERROR_NOT_RUNNING; BERTH_ERROR_BUSY, "instance.unreachable". */
int berth_reach_connect(const Berth *berth, const BerthDistro *distro, GError **error);

bool berth_reach_is_unreachable(const GError *error);

/* The directory of its keeper; free with g_free. */
char *berth_reach_directory(const Berth *berth, const BerthDistro *distro);

/* Wait at most @seconds for each part of an answer over @fd. */
void berth_reach_limit_waiting(int fd, guint seconds);

/* As berth_handle_find_all; but where the registry cannot be read, the distros that the keepers'
 * directories name: it must be possible to end them. Their rows have a name, an id and a disk only.
 */
GPtrArray *berth_reach_find_stoppable(Berth *berth, const char *const *names, GError **error);

/* The keeper that holds the disk of @distro, whether it listens or not; NULL when there is none.
 * Free with berth_disk_user_free. */
BerthDiskUser *berth_reach_keeper(const BerthDistro *distro);

/* Wait, for seconds at most, until @keeper, which has said that it ends, has let go of the disk. It
 * may be NULL. */
void berth_reach_wait_gone(const BerthDiskUser *keeper);

/* End the keeper of @distro without asking it: by signals, as berth_runtime_end. No error when
 * there is none. */
bool berth_reach_end(const Berth *berth, const BerthDistro *distro, int grace_sec, GError **error);

G_END_DECLS
