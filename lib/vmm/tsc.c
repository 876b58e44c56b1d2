/* SPDX-License-Identifier: MIT */
#include "tsc.h"

#if defined(__x86_64__)

#include <time.h>
#include <x86intrin.h>

#define SPAN_NSEC 5000000

/* Counter and clock, read at the same moment. */
typedef struct {
    guint64 ticks;
    gint64 nsec;
} Moment;

static gint64 clock_nsec(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return now.tv_sec * G_GINT64_CONSTANT(1000000000) + now.tv_nsec;
}

/* Of several readings, the one with the shortest interruption. */
static Moment read_moment(void)
{
    Moment best = {0};
    guint64 least = G_MAXUINT64;
    for (guint i = 0; i < 50; i++) {
        guint64 before = __rdtsc();
        gint64 nsec = clock_nsec();
        guint64 elapsed = __rdtsc() - before;
        if (elapsed >= least)
            continue;
        least = elapsed;
        best = (Moment){before + elapsed / 2, nsec};
    }
    return best;
}

guint berth_tsc_khz(void)
{
    Moment start = read_moment();
    Moment end = start;
    while (end.nsec - start.nsec < SPAN_NSEC)
        end = read_moment();
    gint64 span = end.nsec - start.nsec;
    return (guint)(((end.ticks - start.ticks) * 1000000 + (guint64)span / 2) / (guint64)span);
}

#else

guint berth_tsc_khz(void)
{
    return 0;
}

#endif

void berth_tsc_add_argument(BerthMachine *machine)
{
    guint khz = berth_tsc_khz();
    if (khz == 0)
        return;
    g_autoptr(GStrvBuilder) arguments = g_strv_builder_new();
    if (machine->tcg_kernel_arguments != NULL)
        g_strv_builder_addv(arguments, (const char **)machine->tcg_kernel_arguments);
    g_autofree char *argument = g_strdup_printf("tsc_early_khz=%u", khz);
    g_strv_builder_add(arguments, argument);
    g_strfreev(machine->tcg_kernel_arguments);
    machine->tcg_kernel_arguments = g_strv_builder_end(arguments);
}
