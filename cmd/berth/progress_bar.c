/* SPDX-License-Identifier: MIT */
#include "progress_bar.h"

#include "base/size.h"

#include <stdio.h>
#include <unistd.h>

#define INTERVAL_USEC (G_USEC_PER_SEC / 10)
#define CLEAR_LINE    "\r\033[K"

void progress_begin(Progress *progress, const char *what)
{
    const char *term = g_getenv("TERM");
    bool dumb = term == NULL || g_str_equal(term, "dumb"); /* it shows the bytes of CLEAR_LINE */
    *progress = (Progress){.what = what, .shown = !dumb && isatty(STDERR_FILENO)};
    progress->started_usec = g_get_monotonic_time();
}

/* Format as "12:34 left", or "" until an estimate is possible. */
static char *time_left(guint64 done, guint64 total, gint64 elapsed_usec)
{
    if (done == 0 || total <= done || elapsed_usec < G_USEC_PER_SEC)
        return g_strdup("");
    double seconds = (double)elapsed_usec / G_USEC_PER_SEC * (double)(total - done) / (double)done;
    guint whole = (guint)MIN(seconds, 359999.0);
    return g_strdup_printf("  %u:%02u left", whole / 60, whole % 60);
}

void progress_update(Progress *progress, guint64 done, guint64 total)
{
    gint64 now = g_get_monotonic_time();
    if (!progress->shown || now - progress->last_usec < INTERVAL_USEC)
        return;
    progress->last_usec = now;

    gint64 elapsed = MAX(now - progress->started_usec, 1);
    g_autofree char *so_far = berth_size_format(done);
    g_autofree char *whole = total != 0 ? berth_size_format(total) : NULL;
    g_autofree char *rate =
        berth_size_format((guint64)((double)done * G_USEC_PER_SEC / (double)elapsed));
    g_autofree char *left = time_left(done, total, elapsed);
    fprintf(stderr, CLEAR_LINE "%s: %s%s%s  %s/s%s", progress->what, so_far,
            whole != NULL ? " of " : "", whole != NULL ? whole : "", rate, left);
    fflush(stderr);
}

void progress_clear(const Progress *progress)
{
    if (progress->shown && progress->last_usec != 0)
        fputs(CLEAR_LINE, stderr);
}

void progress_end(Progress *progress)
{
    progress_clear(progress);
}
