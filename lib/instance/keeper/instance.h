/* SPDX-License-Identifier: MIT
 *
 * instance — one running distro: QEMU, its network process, the agent's channel and the control
 * socket, and what happens between them. The heart of berth-keeper.
 *
 * States, what is valid in each, and what moves it on:
 *
 *     STARTING  QEMU and berth-net run; the guest may have said hello. Clients wait, STATUS is
 *               answered. BOOTED (or READY and init-timeout) -> UP. boot-timeout, a stage that
 *               failed, QEMU's end -> GONE. CONTROL_STOP -> STOPPING.
 *     UP        Sessions run, ports are forwarded. The guest reboots: its sessions end, QEMU is
 *               started anew -> STARTING. CONTROL_STOP -> STOPPING. QEMU's end -> GONE.
 *     STOPPING  The guest was asked to power off; a timer forces it. New clients wait, and are told
 *               "instance.stopped" at the end, so that they can start it anew. QEMU's end -> GONE.
 *     PAUSED    Within each of the three above, which goes on where it was: QEMU stands still,
 * since the host refused a write to the disk (full, a quota, EIO; pause.h). STATUS says "paused"
 * and why; who waits is told, and told when it goes on, which it does by itself. The time limits of
 * STARTING begin anew; that of STOPPING does not. GONE      Everybody has been told. on_gone was
 * called; free it.
 *
 * Opens neither registry nor images. On the thread-default GMainContext.
 */
#pragma once

#include "model/machine.h"

G_BEGIN_DECLS

typedef struct BerthInstance BerthInstance;

/* Called once, when the instance is GONE; may free it. */
typedef void (*BerthInstanceGoneFunc)(BerthInstance *instance, gpointer user_data);

/* Make the instance of @machine (taken) and start it. Clients come in at @listen_fd (taken), a
 * listening unix socket; a start that fails is told to them, and then to @on_gone, from the loop.
 * @dir is its runtime directory (runtime.h), whose files it removes at the end; @support_dir holds
 * berth-net. */
BerthInstance *berth_instance_new(BerthMachine *machine, const char *dir, const char *support_dir,
                                  int listen_fd, BerthInstanceGoneFunc on_gone, gpointer user_data);
void berth_instance_free(BerthInstance *instance);

/* As a client's CONTROL_STOP: for signals to the keeper. */
void berth_instance_stop(BerthInstance *instance);

G_END_DECLS
