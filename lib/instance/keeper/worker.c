/* SPDX-License-Identifier: MIT */
#include "worker.h"

struct BerthWorker {
    const BerthWorkerOps *ops;
    gpointer data;
    GThread *thread;
    GMainContext *context;
    GSource *midway; /* both attached by the thread */
    GSource *finisher;
};

static gpointer run(gpointer user_data)
{
    BerthWorker *worker = user_data;
    worker->ops->work(worker, worker->data);
    g_source_attach(worker->finisher, worker->context);
    return NULL;
}

static gboolean on_midway(gpointer user_data)
{
    BerthWorker *worker = user_data;
    worker->ops->midway(worker->data);
    return G_SOURCE_REMOVE;
}

static gboolean on_finish(gpointer user_data)
{
    BerthWorker *worker = user_data;
    if (worker->thread != NULL)
        g_thread_join(g_steal_pointer(&worker->thread));
    worker->ops->done(worker->data);
    return G_SOURCE_REMOVE;
}

static GSource *make_source(BerthWorker *worker, GSourceFunc function)
{
    GSource *source = g_idle_source_new();
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, function, worker, NULL);
    return source;
}

BerthWorker *berth_worker_new(const BerthWorkerOps *ops, gpointer data)
{
    BerthWorker *worker = g_new0(BerthWorker, 1);
    worker->ops = ops;
    worker->data = data;
    worker->context = g_main_context_ref_thread_default();
    worker->midway = make_source(worker, on_midway);
    worker->finisher = make_source(worker, on_finish);
    worker->thread = g_thread_try_new(ops->name, run, worker, NULL);
    if (worker->thread == NULL)
        run(worker);
    return worker;
}

void berth_worker_midway(BerthWorker *worker)
{
    g_source_attach(worker->midway, worker->context);
}

static void drop_source(GSource *source)
{
    g_source_destroy(source);
    g_source_unref(source);
}

void berth_worker_free(BerthWorker *worker)
{
    if (worker == NULL)
        return;
    if (worker->thread != NULL)
        g_thread_join(worker->thread);
    drop_source(worker->midway);
    drop_source(worker->finisher);
    g_main_context_unref(worker->context);
    g_free(worker);
}
