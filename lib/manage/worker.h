/* SPDX-License-Identifier: MIT
 *
 * worker — runs berth-image or berth-fetch, sandboxed processes that parse foreign bytes with only
 * the descriptors they inherit; their messages are not trusted.
 *
 * The worker never outlives the call: it is killed when the work is cancelled, when it breaks the
 * protocol, and by the kernel when the caller dies. The caller creates and names files.
 *
 * Errors: the worker's own, as lib/disk makes them; BERTH_ERROR_CANCELLED, "<verb>.cancelled";
 * BERTH_ERROR_INVALID, "<verb>.worker.crashed"; BERTH_ERROR_FAILED, "<verb>.worker.killed",
 * "<verb>.worker.silent", "import.worker.start"; BERTH_ERROR_PROTOCOL, "import.worker.protocol".
 * Call it on the main thread: the worker dies with the thread that started it.
 */
#pragma once

#include "disk/file/status.h"
#include "store/layout.h"

#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* Where a worker's output goes, instead of into a file. */
typedef struct {
    bool (*feed)(const void *data, gsize size, gpointer user_data, GError **error);
    gpointer user_data;
} BerthWorkerSink;

typedef struct {
    const char *verb;            /* "import", "export" */
    const char *step;            /* begins the ids of errors; NULL: the verb */
    const char *what;            /* the kind of input: "archive", "disk" */
    const char *const *options;  /* "KEY=VALUE", NULL-terminated */
    int input, output;           /* borrowed; -1: none */
    int spool;                   /* borrowed; -1: none */
    const BerthWorkerSink *sink; /* gets the output; NULL: @output does */
} BerthWorkerJob;

/* Run @program (a path of berth-image or berth-fetch) for @job. Calls @progress, which may be NULL,
 * ten times a second even without progress; if it returns false, cancels the work. *@ret_status has
 * the worker's warnings, report and processor time. */
bool berth_worker_run(const char *program, const BerthWorkerJob *job, BerthProgressFunc progress,
                      gpointer user_data, BerthImageStatus *ret_status, GError **error);

/* As berth_worker_run for a @verb that works on the disk @fd alone, named @name in messages. */
bool berth_worker_run_on_disk(const BerthLayout *layout, const char *verb, int fd, const char *name,
                              BerthProgressFunc progress, gpointer user_data,
                              BerthImageStatus *ret_status, GError **error);

G_END_DECLS
