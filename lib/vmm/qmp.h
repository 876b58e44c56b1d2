/* SPDX-License-Identifier: MIT
 *
 * qmp — the client of QEMU's machine protocol: commands go out in order, each gets its answer,
 * events come in between.
 *
 *     greeting, qmp_capabilities, then (command -> return | error)*, event at any time
 *
 * A message is one line of JSON of at most BERTH_QMP_LINE_MAX bytes, nested at most 32 deep. QEMU
 * is not trusted: a line that is not a message ends the connection.
 *
 * Works on the thread-default GMainContext of the caller. Callbacks run from the loop only, never
 * within a function of this header; each may free the client.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

#define BERTH_QMP_LINE_MAX 262144u

/* json-glib's; only callers that pass or read one need its header. */
typedef struct _JsonObject JsonObject;
typedef struct _JsonNode JsonNode;

typedef struct BerthQmp BerthQmp;

/* QEMU's event @name, such as "SHUTDOWN", with its data's "reason": "guest-shutdown" after a
 * power-off, "guest-reset" after a reboot (QEMU runs with -no-reboot), "host-qmp-quit". Of data
 * that has "open" instead, as "VSERPORT_CHANGE" has, it is "open" or "closed"; else "".
 * "BLOCK_IO_ERROR" has the host's words for the error, "No space left on device", and an @action:
 * "stop" where QEMU keeps the request and stops, "report" where the guest gets the error; of other
 * events it is "". */
typedef struct {
    const char *name;
    const char *reason;
    const char *action;
} BerthQmpEvent;

/* @event is borrowed. */
typedef void (*BerthQmpEventFunc)(BerthQmp *qmp, const BerthQmpEvent *event, gpointer user_data);

/* A command's end. @result is borrowed; on failure it is NULL and @error says why. */
typedef void (*BerthQmpDoneFunc)(BerthQmp *qmp, JsonNode *result, const GError *error,
                                 gpointer user_data);

/* The connection has ended, after every pending command was told the same @error: BERTH_ERROR_GUEST
 * "qmp.closed" when QEMU closed it, errno's "qmp.io.*", or BERTH_ERROR_PROTOCOL "qmp.line",
 * "qmp.syntax", "qmp.message". */
typedef void (*BerthQmpClosedFunc)(BerthQmp *qmp, const GError *error, gpointer user_data);

/* Takes @fd, a non-blocking socket. @on_event and @on_closed may be NULL. */
BerthQmp *berth_qmp_new(int fd, BerthQmpEventFunc on_event, BerthQmpClosedFunc on_closed,
                        gpointer user_data);

/* Queue @command; it is sent once QEMU has greeted. Takes a reference on @arguments, which may be
 * NULL. @done (may be NULL) is called exactly once, unless the client is freed before.
 * Errors of @done: BERTH_ERROR_FAILED "qmp.command" when QEMU refuses, or the connection's. */
void berth_qmp_execute(BerthQmp *qmp, const char *command, JsonObject *arguments,
                       BerthQmpDoneFunc done, gpointer user_data);

/* Make the block device of node @node @size bytes large, and its file where that is shorter. As
 * berth_qmp_execute. Source: QEMU's QAPI, block_resize. */
void berth_qmp_resize(BerthQmp *qmp, const char *node, guint64 size, BerthQmpDoneFunc done,
                      gpointer user_data);

/* QEMU's run state, from the result of "query-status": "running", "io-error", "internal-error" ...;
 * "" when there is none. Borrowed from @result. */
const char *berth_qmp_status(JsonNode *result);

/* Closes the connection; no callback is called any more. Accepts NULL. */
void berth_qmp_free(BerthQmp *qmp);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthQmp, berth_qmp_free)

G_END_DECLS
