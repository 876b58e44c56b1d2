/* SPDX-License-Identifier: MIT
 *
 * instance — one running distro: the state machine that ties together QEMU, berth-net, the agent's
 * channel and the control socket. The core of berth-keeper.
 *
 * States, what is valid in each, and the events that leave it:
 *
 *     STARTING  QEMU and berth-net run; the guest may have said hello. Clients wait, STATUS is
 *               answered. BOOTED (or READY and init-timeout) -> UP. boot-timeout, a stage that
 *               failed, QEMU's end -> GONE. CONTROL_STOP -> STOPPING.
 *     UP        Sessions run, ports are forwarded. A reboot of the guest ends its sessions and
 *               starts QEMU again -> STARTING. CONTROL_STOP -> STOPPING. QEMU's end -> GONE.
 *               CONTROL_SUSPEND -> SUSPENDING.
 *     SUSPENDING  berth-net begins to watch for packets to the guest, once its peers have their
 *               answers (net/activity.h) or a time limit is over. The guest writes its file
 *               systems and freezes the distro's processes; QEMU stops it, gives the state of its
 *               devices, and ends -> SUSPENDED. Streams go on, new clients wait. A failure or a
 *               time limit -> UP; one of QEMU's own -> GONE. A packet that wakes the guest, a
 *               client that needs it and CONTROL_STOP are remembered until it is suspended.
 *     SUSPENDED  There is no QEMU: the keeper has the guest's memory and state, berth-net its
 *               ports and connections. A packet that wakes the guest (net/wake.h), a session, input
 *               for one, CONTROL_WAIT, CONTROL_SET_SHARES or CONTROL_STOP -> WAKING. CONTROL_STOP
 *               by force -> GONE.
 *     WAKING    A new QEMU loads the state and continues the guest, which is told the time and
 *               what else changed, and forgets what the host changed in the shares (for a limited
 *               time), before its processes continue -> UP, or STOPPING. A failure, a time limit
 *               or QEMU's end -> GONE: clients that wait get the reason, and start the
 *               distro again.
 *     STOPPING  The guest was asked to power off; a timer forces it. New clients wait and get
 *               "instance.stopped" at the end, so that they can start it again. QEMU's end -> GONE.
 *     GONE      Every client has its answer. on_gone was called; free it.
 *
 * STARTING, UP and STOPPING may be paused: QEMU stopped the guest because the host refused a write
 * to the disk (full, quota, EIO; pause.h). STATUS says "paused" and the reason, waiting clients get
 * a notice then and when the guest resumes, which needs no request. The resume restarts the time
 * limits of STARTING, not that of STOPPING.
 *
 * The keeper's SIGTERM parks the guest, suspending or waking it for that as needed -> GONE, and
 * leaves the file; what cannot be parked is stopped. An instance begins in SUSPENDED and wakes at
 * once if it finds such a file. It knows nothing of the guest then: in WAKING, once QEMU continues,
 * the agent begins anew and says what there is. A failure until then boots the guest -> STARTING.
 *
 * A machine with an owner (machine.h) is stopped by force when that process ends, in any state.
 *
 * Opens neither registry nor images. On the thread-default GMainContext.
 */
#pragma once

#include "model/machine.h"

G_BEGIN_DECLS

typedef struct BerthInstance BerthInstance;

/* Called once, when the instance is GONE; may free it. */
typedef void (*BerthInstanceGoneFunc)(BerthInstance *instance, gpointer user_data);

/* Make the instance of @machine (taken) and start it. @listen_fd (taken) is a listening unix socket
 * for clients; @lent_fd (taken) the sealed memory of a guest that the parked one of this machine is
 * to share (vmm/guest_ends.h), or -1. If the start fails, clients get the error and then @on_gone
 * is called, from the loop. @dir is the runtime directory (runtime.h), whose files the instance
 * removes at the end;
 * @support_dir holds berth-net. */
BerthInstance *berth_instance_new(BerthMachine *machine, const char *dir, const char *support_dir,
                                  int listen_fd, int lent_fd, BerthInstanceGoneFunc on_gone,
                                  gpointer user_data);
void berth_instance_free(BerthInstance *instance);

/* The same as a client's CONTROL_STOP; for the keeper's signal handlers. */
void berth_instance_stop(BerthInstance *instance);

/* The keeper is to end: suspend the guest and park it, for the next keeper. What cannot be parked
 * is stopped. */
void berth_instance_leave(BerthInstance *instance);

G_END_DECLS
