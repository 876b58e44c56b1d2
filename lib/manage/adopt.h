/* SPDX-License-Identifier: MIT
 *
 * adopt — registers a user's ext4 image in place as a distro's disk.
 *
 * The image is not copied, and not changed until the distro starts. It remains the user's:
 * unregistering keeps it. berth-image inspects it (disk/image/in_place.h).
 */
#pragma once

#include "store/layout.h"
#include "store/registry.h"

G_BEGIN_DECLS

typedef struct {
    const char *name;    /* of the distro */
    const char *path;    /* absolute, of the image */
    const char *account; /* the user account to create, or NULL (model/distro.h) */
    guint account_uid;
    GBytes *cloud; /* user-data for cloud-init (cloud_seed.h), or NULL; borrowed */
    void (*notice)(const char *text, gpointer user_data); /* a line for the user; may be NULL */
    gpointer user_data;
} BerthAdoptRequest;

/* Register the image. Errors: "name.invalid", "registry.exists", "distro.busy"; BERTH_ERROR_EXISTS,
 * "import.in-place.registered"; those of disk/image/in_place.h, cloud_seed.h and worker.h. */
bool berth_manage_adopt(const BerthLayout *layout, BerthRegistry *registry,
                        const BerthAdoptRequest *request, GError **error);

G_END_DECLS
