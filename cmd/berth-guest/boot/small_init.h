/* SPDX-License-Identifier: MIT
 *
 * small_init — PID 1 for a distro that has no init: it reaps, and takes the machine down.
 *
 * It is told what to do by the signals that busybox's poweroff, halt and reboot send to PID 1
 * (SIGUSR2, SIGUSR1, SIGTERM), which the agent uses as well; SIGINT is the kernel's Ctrl-Alt-Del.
 * On the way down processes are asked to end, given a bounded time, then killed; those whose
 * argv[0] starts with '@', as the agent's does, are left to the very end, as systemd leaves them.
 */
#pragma once

/* Block the signals, so that none sent from now on is lost. Before the agent is forked. */
void small_init_hold_signals(void);

__attribute__((noreturn)) void small_init_run(void);
