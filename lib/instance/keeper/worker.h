/* SPDX-License-Identifier: MIT
 *
 * worker — runs one function in a thread, and reports its end to the loop.
 *
 * The owner must not touch the data of the function until the worker calls `done` or is freed. The
 * callback comes from the thread-default GMainContext of berth_worker_new, unless the worker is
 * freed before.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct BerthWorker BerthWorker;

typedef struct {
    const char *name;            /* of the thread */
    void (*work)(gpointer data); /* in the thread */
    void (*done)(gpointer data); /* @work has returned; may free the worker */
} BerthWorkerOps;

/* Where no thread can be made, the call itself does the work. @ops must outlive the worker. */
BerthWorker *berth_worker_new(const BerthWorkerOps *ops, gpointer data);

/* Wait for the end of the thread, and free it. Accepts NULL. */
void berth_worker_free(BerthWorker *worker);

G_END_DECLS
