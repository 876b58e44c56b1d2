/* SPDX-License-Identifier: MIT
 *
 * runtime — finds the keeper of a distro, and starts one.
 *
 * Every running distro has a directory of its own below the runtime directory:
 *
 *     <runtime>/<id>/start          flock'ed by the process that is starting the keeper
 *     <runtime>/<id>/lock           flock'ed by the keeper for its lifetime; holds its pid and
 *                                   start time (base/process.h)
 *     <runtime>/<id>/control        its listening socket (lib/instance/control/control.h)
 *     <runtime>/<id>/docker.sock    Docker's socket in the guest (lib/instance/keeper/sockets.h)
 *     <runtime>/<id>/machine.conf   the Machine that it runs
 *     <runtime>/<id>/ports          the ports it has open on the host (neighbours.h)
 *     <runtime>/<id>/keeper.log     its standard error
 *     <runtime>/<id>/rescue.cpio    the initramfs of a rescue start
 *     <runtime>/<id>/cloud.cpio     the initramfs with user-data for cloud-init, until the keeper
 *                                   has opened it
 *
 * The lock decides: its holder is the keeper; a directory with a free lock is left over from a
 * crash and is reused. Two callers that start the same distro at once serialise at the lock: one
 * starts the keeper, both connect to it.
 *
 * Blocking. No global state.
 */
#pragma once

#include "model/machine.h"

#include <sys/types.h>

G_BEGIN_DECLS

/* Connect to the keeper of distro @id, close-on-exec; -1 on error. Errors: BERTH_ERROR_NOT_RUNNING,
 * "instance.not-running". */
int berth_runtime_connect(const char *runtime_dir, const char *id, GError **error);

/* As berth_runtime_connect, for a keeper whose directory is @dir, wherever that is. */
int berth_runtime_connect_in(const char *dir, GError **error);

/* Called before a keeper is started, while no other can start and the former one has ended. False
 * with an error prevents the start. *@ret_disk_fd, initially -1, is a descriptor that the keeper
 * holds for its lifetime. */
typedef struct {
    bool (*may_start)(gpointer user_data, int *ret_disk_fd, GError **error);
    gpointer user_data;
    const int *memory; /* the sealed memory of another guest, for the keeper; NULL: none */
} BerthRuntimeCheck;

/* As berth_runtime_connect, but starts a keeper when there is none: @support_dir holds
 * berth-keeper and berth-net. Returns as soon as the keeper listens; the guest may not be up yet.
 * @check may be NULL.
 * Errors: also BERTH_ERROR_FAILED and errno's, "instance.start.*"; the check's. */
int berth_runtime_start(const BerthMachine *machine, const char *runtime_dir,
                        const char *support_dir, const BerthRuntimeCheck *check, GError **error);

/* Check that distro @id has no keeper and none is being started; waits for one that is starting or
 * ending. If the caller's claim makes the check of a start fail, no keeper can start afterwards.
 * @name is for messages. Errors: BERTH_ERROR_BUSY, "instance.running"; those of waiting for a
 * keeper to end. */
bool berth_runtime_require_stopped(const char *runtime_dir, const char *id, const char *name,
                                   GError **error);

/* Whether @error, of a connection or of berth_request_wait, means that there was no keeper or that
 * it was ending: starting the distro may succeed. */
bool berth_runtime_is_gone(const GError *error);

/* End the keeper @pid and wait for its end: orderly within @grace_sec, then (with 0 at once) by
 * force together with its QEMU. Errors: those of berth_runtime_kill. */
bool berth_runtime_end(int pidfd, pid_t pid, int grace_sec, GError **error);

/* Kill the keeper of distro @id together with its QEMU and wait for its end; for one that does not
 * answer. No error when there is none. Errors: BERTH_ERROR_BUSY, "instance.stuck";
 * errno's, "instance.kill.*". */
bool berth_runtime_kill(const char *runtime_dir, const char *id, GError **error);

/* Remove what a killed keeper of distro @id left. False, and nothing is removed, while a keeper
 * runs, starts or ends. */
bool berth_runtime_clean(const char *runtime_dir, const char *id);

/* Remove the runtime directory of distro @id, which is stopped and being unregistered. */
void berth_runtime_forget(const char *runtime_dir, const char *id);

G_END_DECLS
