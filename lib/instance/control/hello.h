/* SPDX-License-Identifier: MIT
 *
 * hello — negotiates the version of the control protocol.
 *
 * A keeper lives as long as its distro runs, so `berth` may have been upgraded since it was
 * started, or downgraded. Each call of the client's (control.h) begins with HELLO, in one write
 * with its request; the keeper answers HELLO_IS first. Both give the version of their sender. Where
 * the two differ, the keeper answers each request, and each OPEN, with CONTROL_ERROR and does
 * nothing; the client reports "instance.version". Either error says which side is older.
 *
 * This never changes, so that any two versions can tell each other apart, and `berth terminate`
 * works between them:
 *   - the types HELLO and HELLO_IS, and the version in front of their fields; what follows it is
 *     ignored;
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

/* Raise it with each change of control.h, or of a session's frames in wire/wire.h, that the other
 * side would misread or not know. */
#define BERTH_CONTROL_VERSION 1u

#define BERTH_HELLO_TYPE    85 /* stream 1: version:u32 */
#define BERTH_HELLO_IS_TYPE 86 /* version:u32 */

/* Append the client's frame, or the keeper's. */
void berth_hello_put(WireBuffer *buffer);
void berth_hello_put_answer(WireBuffer *buffer);

/* The keeper's: the version of the client whose HELLO @frame is; 0 when it has none. */
guint32 berth_hello_version(const WireFrame *frame);

/* The client's: whether @first, the first frame that came, is the HELLO_IS of a keeper of this
 * version. Errors: BERTH_ERROR_PROTOCOL, "instance.version". */
bool berth_hello_check_keeper(const WireFrame *first, GError **error);

/* The keeper's: whether @version, 0 without a HELLO, is a client's of this version. Errors: the
 * same. */
bool berth_hello_check_client(guint32 version, GError **error);

/* Whether @error says that the two ends are of different versions. */
bool berth_hello_is_mismatch(const GError *error);

/* Put the distro's name into the hint of *@error if it says that; the two ends do not know it. */
void berth_hello_name_distro(GError **error, const char *name);

G_END_DECLS
