/* SPDX-License-Identifier: MIT
 *
 * qmp — a client of the QEMU machine protocol: sends commands in order, matches answers, delivers
 * events.
 *
 *     greeting, qmp_capabilities, then (command -> return | error)*, event at any time
 *
 * A message is one line of JSON, at most BERTH_QMP_LINE_MAX bytes, nested at most 32 deep. QEMU is
 * not trusted: an invalid line ends the connection.
 *
 * Uses the caller's thread-default GMainContext. Callbacks run from the loop only, never within a
 * function of this header; each may free the client.
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

/* QEMU's event @name, such as "SHUTDOWN". @reason is the "reason" of its data: "guest-shutdown"
 * after a power-off, "guest-reset" after a reboot (QEMU runs with -no-reboot), "host-qmp-quit". For
 * data with "open" instead, as of VSERPORT_CHANGE, it is "open" or "closed"; with "status" instead,
 * as of MIGRATION, the status: "active", "completed", "failed"; for BLOCK_IO_ERROR the host's error
 * text, "No space left on device"; otherwise "". @action is set for BLOCK_IO_ERROR
 * only: "stop" when QEMU keeps the request and pauses, "report" when the guest gets the error;
 * otherwise "". */
typedef struct {
    const char *name;
    const char *reason;
    const char *action;
} BerthQmpEvent;

/* @event is borrowed. */
typedef void (*BerthQmpEventFunc)(BerthQmp *qmp, const BerthQmpEvent *event, gpointer user_data);

/* A command completed. @result is borrowed; on failure it is NULL and @error is set. */
typedef void (*BerthQmpDoneFunc)(BerthQmp *qmp, JsonNode *result, const GError *error,
                                 gpointer user_data);

/* The connection ended; every pending command has failed with the same @error: BERTH_ERROR_GUEST
 * "qmp.closed" when QEMU closed it, errno's "qmp.io.*", or BERTH_ERROR_PROTOCOL "qmp.line",
 * "qmp.syntax", "qmp.message". */
typedef void (*BerthQmpClosedFunc)(BerthQmp *qmp, const GError *error, gpointer user_data);

/* Takes @fd, a non-blocking socket. @on_event and @on_closed may be NULL. */
BerthQmp *berth_qmp_new(int fd, BerthQmpEventFunc on_event, BerthQmpClosedFunc on_closed,
                        gpointer user_data);

/* Queue @command, sent once QEMU has greeted. Takes a reference on @arguments, which may be NULL.
 * @done (may be NULL) is called exactly once, unless the client is freed first. Errors of @done:
 * BERTH_ERROR_FAILED "qmp.command" when QEMU refuses, or the connection's. */
void berth_qmp_execute(BerthQmp *qmp, const char *command, JsonObject *arguments,
                       BerthQmpDoneFunc done, gpointer user_data);

/* Hand QEMU @fd (taken), which later commands call @name. As berth_qmp_execute. Source: QEMU's
 * QAPI, getfd. */
void berth_qmp_send_fd(BerthQmp *qmp, const char *name, int fd, BerthQmpDoneFunc done,
                       gpointer user_data);

/* Resize the block device of node @node to @size bytes, growing its file if needed. As
 * berth_qmp_execute. Source: QEMU's QAPI, block_resize. */
void berth_qmp_resize(BerthQmp *qmp, const char *node, guint64 size, BerthQmpDoneFunc done,
                      gpointer user_data);

/* QEMU's run state from the result of "query-status": "running", "io-error", "internal-error" ...;
 * "" when missing. Borrowed from @result. */
const char *berth_qmp_status(JsonNode *result);

/* Close the connection without further callbacks. Accepts NULL. */
void berth_qmp_free(BerthQmp *qmp);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthQmp, berth_qmp_free)

G_END_DECLS
