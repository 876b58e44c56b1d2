/* SPDX-License-Identifier: MIT */
#include "worker.h"

struct BerthWorker {
    const BerthWorkerOps *ops;
    gpointer data;
    GThread *thread;
    GMainContext *context;
    GSource *finisher; /* attached by the thread */
};

static gpointer run(gpointer user_data)
{
    BerthWorker *worker = user_data;
    worker->ops->work(worker->data);
    g_source_attach(worker->finisher, worker->context);
    return NULL;
}

static gboolean on_finish(gpointer user_data)
{
    BerthWorker *worker = user_data;
    if (worker->thread != NULL)
        g_thread_join(g_steal_pointer(&worker->thread));
    worker->ops->done(worker->data);
    return G_SOURCE_REMOVE;
}

BerthWorker *berth_worker_new(const BerthWorkerOps *ops, gpointer data)
{
    BerthWorker *worker = g_new0(BerthWorker, 1);
    worker->ops = ops;
    worker->data = data;
    worker->context = g_main_context_ref_thread_default();
    worker->finisher = g_idle_source_new();
    g_source_set_priority(worker->finisher, G_PRIORITY_DEFAULT);
    g_source_set_callback(worker->finisher, on_finish, worker, NULL);
    worker->thread = g_thread_try_new(ops->name, run, worker, NULL);
    if (worker->thread == NULL)
        run(worker);
    return worker;
}

void berth_worker_free(BerthWorker *worker)
{
    if (worker == NULL)
        return;
    if (worker->thread != NULL)
        g_thread_join(worker->thread);
    g_source_destroy(worker->finisher);
    g_source_unref(worker->finisher);
    g_main_context_unref(worker->context);
    g_free(worker);
}
