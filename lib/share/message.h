/* SPDX-License-Identifier: MIT
 *
 * message — checks a FUSE request of the guest's kernel before libfuse sees it.
 *
 * libfuse trusts its kernel: it does not check sizes, counts or the ends of strings. This kernel is
 * the guest's and may be hostile. So a request passes only if its operation is served, its length
 * is right, each string is terminated, each name is a single path component, and each count fits
 * its bytes. Pure. Source: linux/fuse.h, and struct fuse_args of the callers in fs/fuse.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_MESSAGE_HEADER 40u /* struct fuse_in_header */
#define BERTH_MESSAGE_WRITE  80u /* the header of a WRITE */

typedef enum {
    BERTH_MESSAGE_GOOD,
    BERTH_MESSAGE_UNKNOWN, /* an operation that is not served: answer ENOSYS */
    BERTH_MESSAGE_BAD,     /* answer EINVAL */
} BerthMessageVerdict;

/* @message, @size bytes, at least BERTH_MESSAGE_HEADER, as its header says too. @begun: INIT was
 * seen; it comes first and once. */
BerthMessageVerdict berth_message_check(const guint8 *message, gsize size, bool begun);

/* Whether a good message shows that a program of the guest uses the shares: not what the carrier
 * asks for itself or to repeat a change of the host's, nor what the kernel sends in its own time
 * once a program has let a file go. */
bool berth_message_is_use(const guint8 *message);

/* Whether the guest waits for an answer to it. */
bool berth_message_wants_answer(const guint8 *message);

G_END_DECLS
