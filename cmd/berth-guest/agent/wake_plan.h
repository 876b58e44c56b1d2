/* SPDX-License-Identifier: MIT
 *
 * wake_plan — what a suspended distro is woken for, as it is right before its processes are frozen:
 * the next thing that it wants to do by itself, and the files of the host that it watches.
 */
#pragma once

#include "share/shares.h"

typedef struct WakePlan WakePlan;

/* Of the distro with its timers at @timers (as in AgentOptions; NULL: none are asked), its
 * processes in @proc (NULL: none are) and @shares; all are borrowed. In memory that child processes
 * share. NULL with errno. */
WakePlan *wake_plan_new(const char *timers, const char *proc, const Shares *shares);
void wake_plan_free(WakePlan *plan);

/* Find all that. For a child process: it takes a few seconds at most. @plan is a WakePlan. */
void wake_plan_make(void *plan);

/* Tell the host what was found: DUE and WATCHED, if there is anything. */
void wake_plan_report(const WakePlan *plan, WireBuffer *out);
