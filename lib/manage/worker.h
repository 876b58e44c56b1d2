/* SPDX-License-Identifier: MIT
 *
 * worker — runs berth-image, a sandboxed process that parses archives and images with only the
 * descriptors it inherits; its messages are not trusted.
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

typedef struct {
    const char *verb;           /* "import", "export"; begins the ids of errors */
    const char *what;           /* it reads: "archive", "disk" */
    const char *const *options; /* "KEY=VALUE", NULL-terminated */
    int input, output;          /* borrowed; -1: none */
    int spool;                  /* likewise */
} BerthWorkerJob;

/* Run the @program (a path of berth-image) for @job. @progress is called ten times a second also
 * when nothing happens; when it returns false the work is cancelled. May be NULL. What the worker
 * said is in *@ret_status. */
bool berth_worker_run(const char *program, const BerthWorkerJob *job, BerthProgressFunc progress,
                      gpointer user_data, BerthImageStatus *ret_status, GError **error);

/* The same for a @verb that works on the disk @fd alone, which messages call @name. */
bool berth_worker_run_on_disk(const BerthLayout *layout, const char *verb, int fd, const char *name,
                              BerthProgressFunc progress, gpointer user_data,
                              BerthImageStatus *ret_status, GError **error);

G_END_DECLS
