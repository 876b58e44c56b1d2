/* SPDX-License-Identifier: MIT
 *
 * trace — kernel trace events, through tracefs.
 */
#pragma once

/* A descriptor that becomes readable when any socket of the machine starts or stops listening;
 * non-blocking, close-on-exec; read it until EAGAIN. -1 with errno where the kernel lacks the
 * tracepoint. Its tracefs is a detached mount with a trace instance of its own: invisible, never
 * busy at power-off, and apart from the distro's own tracing. */
int trace_open_listen_events(void);
