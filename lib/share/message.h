/* SPDX-License-Identifier: MIT
 *
 * message — checks a FUSE request of the guest's kernel before libfuse sees it.
 *
 * libfuse trusts its kernel: it takes sizes, counts and the ends of strings as they come. Ours
 * belongs to the guest, which may be hostile. So a request passes only when it is one of those that
 * are served, as long as it says, with each string ended, each name a plain one, and each count
 * within its bytes. Pure. Source: linux/fuse.h, and struct fuse_args of the callers in fs/fuse.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_MESSAGE_HEADER 40u /* struct fuse_in_header */
#define BERTH_MESSAGE_WRITE  80u /* the header of a WRITE */

typedef enum {
    BERTH_MESSAGE_GOOD,
    BERTH_MESSAGE_UNKNOWN, /* well-formed, but no request that is served: answer ENOSYS */
    BERTH_MESSAGE_BAD,     /* answer EINVAL */
} BerthMessageVerdict;

/* @message, @size bytes, at least BERTH_MESSAGE_HEADER, as its header says too. @begun: INIT was
 * seen; it comes first and once. */
BerthMessageVerdict berth_message_check(const guint8 *message, gsize size, bool begun);

/* Whether the guest waits for an answer to it. */
bool berth_message_wants_answer(const guint8 *message);

G_END_DECLS
