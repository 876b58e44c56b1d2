/* SPDX-License-Identifier: MIT
 *
 * trace — the kernel's own events, through tracefs.
 */
#pragma once

/* A descriptor that becomes readable when a socket anywhere in the machine starts or stops
 * listening; non-blocking, close-on-exec; read it until EAGAIN. -1 with errno where the kernel has
 * no such thing. The tracefs it needs is mounted nowhere: nobody sees it, nothing is busy at
 * power-off, and the distro's own use of tracing is not disturbed. */
int trace_open_listen_events(void);
