/* SPDX-License-Identifier: MIT
 *
 * host_pressure — reports that the host is short of memory: programs wait for it (PSI).
 *
 * The kernel watches and wakes us at most once in two seconds, so that this costs nothing until
 * then. On the thread-default GMainContext.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define BERTH_PRESSURE_MEMORY "/proc/pressure/memory"

typedef struct BerthHostPressure BerthHostPressure;

/* @path is the file of the kernel's; @on_pressure may be called any number of times. Never fails:
 * where the host's kernel has no PSI, or lets no ordinary user watch it (before Linux 6.5), nothing
 * is reported. */
BerthHostPressure *berth_host_pressure_new(const char *path,
                                           void (*on_pressure)(gpointer user_data),
                                           gpointer user_data);

/* The same of @fd (taken), which the trigger was written to. */
BerthHostPressure *berth_host_pressure_new_of(int fd, void (*on_pressure)(gpointer user_data),
                                              gpointer user_data);
void berth_host_pressure_free(BerthHostPressure *pressure);

G_END_DECLS
