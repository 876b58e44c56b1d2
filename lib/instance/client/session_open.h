/* SPDX-License-Identifier: MIT
 *
 * session_open — the OPEN of a session: a command as the guest is told it. Pure.
 */
#pragma once

#include "session_client.h"
#include "wire/wire.h"

G_BEGIN_DECLS

#define BERTH_SESSION_STREAM 1u /* our number for the session; the keeper has its own */

/* Append OPEN of @command to @output. *@ret_split: it took several frames, which an agent of a
 * former version does not know. Errors: BERTH_ERROR_GUEST, "session.too-long" beyond WIRE_OPEN_MAX.
 */
bool berth_session_open_put(const BerthCommand *command, WireBuffer *output, bool *ret_split,
                            GError **error);

/* Set "session.too-long", with @message; the guest may say so, too. */
void berth_session_open_set_too_long(GError **error, const char *message);

G_END_DECLS
