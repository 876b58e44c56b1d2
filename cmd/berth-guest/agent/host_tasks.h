/* SPDX-License-Identifier: MIT
 *
 * host_tasks — what the host asks of the whole distro and what takes a while: to grow the file
 * system, to freeze all processes, and to give memory back. A child process does each, so that the
 * loop goes on; its end is the answer. Once the processes are frozen, the carrier of the shares
 * holds what they have asked for, before the answer. DUE, if anything is, comes before
 * it, too.
 */
#pragma once

#include "agent.h"
#include "wake_plan.h"

#include "os/reclaim.h"

#include <stdbool.h>
#include <sys/types.h>

typedef struct {
    const AgentOptions *options;
    WireBuffer *out;
    const bool *connected; /* nothing is sent while it is false */
    pid_t grower;          /* the process that grows the file system, or 0 */
    pid_t freezer;         /* the one that freezes the distro, or 0 */
    WakePlan *plan;        /* the freezer makes it; NULL while there is none */
    bool thaws;            /* thaw again once the freezer, which was killed, has ended */
    bool freezes;          /* and then freeze: FREEZE came after THAW. Only while @thaws */
    bool holds_root;       /* the root's file system is frozen, or about to be, until */
    int hold;              /* this is closed (os/freezer.h) */
    const Shares *shares;
    uint32_t holds;         /* how often the carrier was asked to hold */
    bool holding;           /* it has not answered the last of these */
    pid_t reclaimer;        /* the process that gives memory back, or 0 */
    ReclaimCounts asked;    /* when it began */
    ReclaimCounts answered; /* when the last one had ended */
} HostTasks;

/* Handle GROW, whose answer is GROWN; FREEZE (FROZEN), RELEASE and THAW; RECLAIM (RECLAIMED) and
 * MEASURE (MEASURED). After FROZEN the channel is held (host_channel.h): the machine may be saved.
 * False: it is another frame. */
bool host_tasks_frame(HostTasks *tasks, const WireFrame *frame);

/* A frame is about to be handled that may write to the root's file system: thaw it, or the agent
 * would wait for itself. A freezer that is under way begins again after that. */
void host_tasks_write(HostTasks *tasks);

/* Another host asks now: it gets no answer that it did not ask for. What is frozen stays so. */
void host_tasks_forget(HostTasks *tasks);

/* The carrier answers, or has ended. */
void host_tasks_held(HostTasks *tasks, uint32_t number);
void host_tasks_unshared(HostTasks *tasks);

/* A child process has ended. */
void host_tasks_reaped(HostTasks *tasks, pid_t pid, int wait_status);
