/* SPDX-License-Identifier: MIT */
#include "work.h"

#include <signal.h>

static volatile sig_atomic_t stopped;

static void on_stop(int number)
{
    stopped = 1;
}

void work_begin(Work *work, const char *what)
{
    const struct sigaction stop = {.sa_handler = on_stop}; /* interrupts what waits */
    const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
        sigaction(numbers[i], &stop, NULL);
    signal(SIGXFSZ, SIG_IGN);
    progress_begin(&work->progress, what);
}

bool work_goes_on(guint64 bytes_done, guint64 bytes_total, gpointer user_data)
{
    Work *work = user_data;
    progress_update(&work->progress, bytes_done, bytes_total);
    return !stopped;
}

void work_end(Work *work)
{
    progress_end(&work->progress);
}
