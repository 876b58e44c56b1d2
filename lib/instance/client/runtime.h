/* SPDX-License-Identifier: MIT
 *
 * runtime — finding the keeper of a distro, and starting one.
 *
 * Every running distro has a directory of its own below the runtime directory:
 *
 *     <runtime>/<id>/start          flock'ed by whoever is starting the keeper, for a moment
 *     <runtime>/<id>/lock           flock'ed by the keeper for as long as it lives; holds
 *                                   its pid and start time (base/process.h)
 *     <runtime>/<id>/control        its listening socket (lib/instance/control/control.h)
 *     <runtime>/<id>/docker.sock    Docker's socket in the guest (lib/instance/keeper/sockets.h)
 *     <runtime>/<id>/machine.conf   what it was told to run
 *     <runtime>/<id>/ports          what it has open on the host (neighbours.h)
 *     <runtime>/<id>/keeper.log     its standard error
 *     <runtime>/<id>/rescue.cpio    the initramfs of a start for a rescue
 *     <runtime>/<id>/cloud.cpio     that of a distro whose cloud-init is given user-data, until its
 *                                   keeper has opened it
 *
 * The lock is the truth: whoever holds it is the keeper; a directory whose lock is free is
 * left over from a crash and is taken over. Two callers that start the same distro at once meet at
 * the lock: one makes the keeper, both are connected to it.
 *
 * Blocking. No global state.
 */
#pragma once

#include "model/machine.h"

#include <sys/types.h>

G_BEGIN_DECLS

/* A connection to the keeper of distro @id, close-on-exec; or -1.
 * Errors: BERTH_ERROR_NOT_RUNNING, "instance.not-running". */
int berth_runtime_connect(const char *runtime_dir, const char *id, GError **error);

/* The same for a keeper whose directory is @dir, wherever that is. */
int berth_runtime_connect_in(const char *dir, GError **error);

/* Asked before a keeper is started, while nobody else can start one and the former one has gone:
 * whether it may. False with an error refuses. *@ret_disk_fd, -1 before, is a descriptor that the
 * keeper is to hold for as long as it lives. */
typedef struct {
    bool (*may_start)(gpointer user_data, int *ret_disk_fd, GError **error);
    gpointer user_data;
} BerthRuntimeCheck;

/* As berth_runtime_connect, but starts a keeper when there is none: @support_dir holds
 * berth-keeper and berth-net. Returns as soon as the keeper listens; it answers when the guest
 * does. @gate may be NULL.
 * Errors: also BERTH_ERROR_FAILED and errno's, "instance.start.*"; the gate's. */
int berth_runtime_start(const BerthMachine *machine, const char *runtime_dir,
                        const char *support_dir, const BerthRuntimeCheck *gate, GError **error);

/* Whether distro @id has no keeper and nobody is starting one; waits for one that is on its way in
 * or out. Whoever closes the gate before has it to itself then. @name is what messages call it.
 * Errors: BERTH_ERROR_BUSY, "instance.running"; those of waiting for a keeper to go. */
bool berth_runtime_require_stopped(const char *runtime_dir, const char *id, const char *name,
                                   GError **error);

/* Whether @error, of a connection or of berth_control_wait, says that the keeper is not there or
 * was just going: starting the distro may succeed. */
bool berth_runtime_is_gone(const GError *error);

/* End the keeper @pid: in good order within @grace_sec, then, or with 0, by force with all it
 * keeps; and wait until it has gone. Errors: those of berth_runtime_kill. */
bool berth_runtime_end(int pidfd, pid_t pid, int grace_sec, GError **error);

/* End the keeper of distro @id by force, with all it keeps, and wait until it has gone: for one
 * that does not answer. No error when there is none. Errors: BERTH_ERROR_BUSY, "instance.stuck";
 * errno's, "instance.kill.*". */
bool berth_runtime_kill(const char *runtime_dir, const char *id, GError **error);

/* Remove what is left in the directory of distro @id, which is not running and being unregistered.
 */
void berth_runtime_forget(const char *runtime_dir, const char *id);

G_END_DECLS
