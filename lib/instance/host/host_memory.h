/* SPDX-License-Identifier: MIT
 *
 * host_memory — how much memory the host can give.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define BERTH_MEMINFO "/proc/meminfo"

/* The bytes that programs can still take without swapping, as the kernel estimates them in the file
 * @meminfo; G_MAXUINT64 if that cannot be read. */
guint64 berth_host_memory_available(const char *meminfo);

G_END_DECLS
