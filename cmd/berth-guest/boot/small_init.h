/* SPDX-License-Identifier: MIT
 *
 * small_init — PID 1 for a distro without an init: it reaps children and shuts the machine down.
 *
 * It handles the signals that busybox's poweroff, halt and reboot send to PID 1 (SIGUSR2, SIGUSR1,
 * SIGTERM), which the agent sends as well; SIGINT is the kernel's Ctrl-Alt-Del. At shutdown it
 * sends SIGTERM, waits a bounded time, then sends SIGKILL. As with systemd, processes whose argv[0]
 * starts with '@', such as the agent, are exempt.
 */
#pragma once

/* Block the signals, so that none is lost from now on. Call before the agent is forked. */
void small_init_hold_signals(void);

__attribute__((noreturn)) void small_init_run(void);
