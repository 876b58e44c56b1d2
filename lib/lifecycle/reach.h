/* SPDX-License-Identifier: MIT
 *
 * reach — connects to the keepers of distros, and ends those that do not answer.
 *
 * Finds a keeper by its directory or, if that was removed, by the lock on the disk (manage/hold.h).
 */
#pragma once

#include "handle.h"

#include "manage/hold.h"

G_BEGIN_DECLS

/* A keeper that does not answer a request within this time is considered stuck. */
#define BERTH_REACH_ANSWER_SEC 3

/* How often to look for the keeper of a distro whose former keeper has just ended. */
#define BERTH_REACH_LOOKS_MAX 3u

/* Those of @distros, in their order, that may have a keeper: all others are stopped, and need no
 * thread that asks. Never blocks. The elements are borrowed; free with g_ptr_array_unref. */
GPtrArray *berth_reach_find_running(const Berth *berth, const GPtrArray *distros);

/* Whether @distro may have a keeper. Never blocks. */
bool berth_reach_may_run(const Berth *berth, const BerthDistro *distro);

/* The state of @distro after no keeper has answered: "parked" or "stopped"; NULL if it may have a
 * keeper again, which the caller should ask. A keeper that leaves has completed the parked file
 * before its socket goes, and one that begins listens before it removes that file: so a parked
 * distro never counts as stopped. Never blocks. Static. */
const char *berth_reach_state_left(const Berth *berth, const BerthDistro *distro);

/* Connect to the keeper of @distro, wherever its runtime directory is. -1 on error. Errors:
 * BERTH_ERROR_NOT_RUNNING; BERTH_ERROR_BUSY, "instance.unreachable". */
int berth_reach_connect(const Berth *berth, const BerthDistro *distro, GError **error);

bool berth_reach_is_unreachable(const GError *error);

/* The directory of the distro's keeper; free with g_free. */
char *berth_reach_directory(const Berth *berth, const BerthDistro *distro);

/* Set the timeout of each read over @fd to @seconds. */
void berth_reach_limit_waiting(int fd, guint seconds);

/* As berth_handle_find_all; but if the registry cannot be read, returns the distros found in the
 * keepers' directories, so that they can be stopped. Those rows have only a name, an id and a
 * disk. */
GPtrArray *berth_reach_find_stoppable(Berth *berth, const char *const *names, GError **error);

/* Find the keeper that holds the disk of @distro, whether it listens or not; NULL if none. Free
 * with berth_disk_user_free. */
BerthDiskUser *berth_reach_keeper(const BerthDistro *distro);

/* Wait, for seconds at most, until @keeper, which has announced its end, releases the disk. NULL is
 * allowed. */
void berth_reach_wait_end(const BerthDiskUser *keeper);

/* Kill the keeper of @distro, as berth_runtime_end does. Without a keeper does nothing. */
bool berth_reach_end(const Berth *berth, const BerthDistro *distro, int grace_sec, GError **error);

G_END_DECLS
