/* SPDX-License-Identifier: MIT
 *
 * hello — negotiates the version of the control protocol.
 *
 * A keeper lives as long as its distro runs, so `berth` may have been upgraded or downgraded since
 * the keeper's start. Each call of the client (control.h) begins with HELLO, in one write with its
 * request; the keeper answers HELLO_IS first. Both contain the sender's version. If they differ,
 * the keeper answers every request, and every OPEN, with CONTROL_ERROR and does nothing else; the
 * client reports "instance.version". Either error names the older side.
 *
 * The following never changes, so that any two versions can recognise each other, and `berth
 * terminate` works between them:
 *
 *   - the types HELLO and HELLO_IS, and the version as their first field; later fields are ignored;
 *   - CONTROL_STOP, which needs no HELLO, and its answers CONTROL_DONE, CONTROL_ERROR and
 *     CONTROL_PAUSED.
 *
 * Version 0 predates HELLO. Such a keeper ignores HELLO, because it is on a stream without a
 * session, and answers the request; such a client does not send it.
 */
#pragma once

#include "wire/wire.h"

#include <glib.h>

G_BEGIN_DECLS

/* Increment it with each incompatible change of control.h, or of a session's frames in
 * wire/wire.h. */
#define BERTH_CONTROL_VERSION 8u

#define BERTH_HELLO_TYPE    85 /* stream 1: version:u32 */
#define BERTH_HELLO_IS_TYPE 86 /* version:u32 */

/* Append the client's frame, or the keeper's. */
void berth_hello_put(WireBuffer *buffer);
void berth_hello_put_answer(WireBuffer *buffer);

/* For the keeper: the version of the client whose HELLO @frame is; 0 if it has none. */
guint32 berth_hello_version(const WireFrame *frame);

/* For the client: check that @first, the first frame received, is the HELLO_IS of a keeper of this
 * version. Errors: BERTH_ERROR_PROTOCOL, "instance.version". */
bool berth_hello_check_keeper(const WireFrame *first, GError **error);

/* For the keeper: check that @version (0 without a HELLO) is that of this keeper. Errors: the
 * same. */
bool berth_hello_check_client(guint32 version, GError **error);

/* Whether @error means that the two ends have different versions. */
bool berth_hello_is_mismatch(const GError *error);

/* If @error is such a mismatch, add the distro's name to its hint; the two ends do not know it. */
void berth_hello_name_distro(GError **error, const char *name);

G_END_DECLS
