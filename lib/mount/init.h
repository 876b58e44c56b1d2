/* SPDX-License-Identifier: MIT
 *
 * init — what the carrier answers itself, without the guest: INIT, since the host decides what its
 * kernel may expect, and what the kernel asks of the mount while no guest is there.
 *
 * Functions write an answer's body to @answer and return its size.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define BERTH_MOUNT_LOCAL_MAX 256u

/* @body is of INIT, @size bytes. 0: the kernel's protocol is another one. */
gsize berth_mount_answer_init(const void *body, gsize size, void *answer);

/* The attributes of the mount's root, so that listing its parent needs no guest. */
gsize berth_mount_answer_root(void *answer);

/* statfs, so that df needs none either. */
gsize berth_mount_answer_space(void *answer);

G_END_DECLS
