/* SPDX-License-Identifier: MIT
 *
 * berth_usage — what running distros take of this host. A part of the public interface (berth.h).
 */
#pragma once

#include "berth_handle.h"

G_BEGIN_DECLS

/* The memory and disk that a guest reports to use, and its network traffic as berth-net counts it.
 * Bytes. */
typedef struct {
    gint64 seen_usec; /* time of day at which the guest said the next four, which are the last known
                         while it is suspended; 0: never */
    guint64 memory;   /* that its kernel manages */
    guint64 memory_used; /* not available to a new program */
    guint64 disk;        /* size of its root file system */
    guint64 disk_used;   /* of that */
    guint64 received;    /* by its network; restarts with berth-net */
    guint64 sent;
} BerthDistroUse;

typedef struct {
    char *name, *id;
    char *state;    /* as in BerthInfo */
    guint64 memory; /* bytes of the host: QEMU (of a suspended distro its kept memory), berth-net,
                       the keeper and its other processes; shared ones divided (PSS) */
    guint64 processor_usec; /* of these processes so far; restarts with each QEMU */
    guint64 disk_size;      /* apparent: as the guest sees it */
    guint64 disk_used;      /* allocated on the host */
    BerthDistroUse use;
} BerthDistroUsage;

void berth_distro_usage_free(BerthDistroUsage *usage);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthDistroUsage, berth_distro_usage_free)

/* One BerthDistroUsage for each distro that has a keeper, in the order of berth_list; free with
 * g_ptr_array_unref. Starts and wakes nothing. */
GPtrArray *berth_usages(Berth *berth, GError **error);

G_END_DECLS
