/* SPDX-License-Identifier: MIT */
#include "signals.h"

#include "terminal.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

/* Grace period for an interrupted worker, lock or guest to end. */
#define GRACE_SEC 5

static volatile sig_atomic_t stop_signal; /* the signal that stop_signal us to stop, or 0 */
static void (*stop_hook)(void);

bool stop_is_ignored(int number)
{
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* End by the signal @number. Async-signal-safe. */
static void die(int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    terminal_restore();
    signal(number, SIG_DFL);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &set, NULL); /* delivered here if it was blocked */
}

static void on_grace_over(int alarm_number)
{
    die(stop_signal);
}

static void on_stop(int number)
{
    int saved = errno;
    if (stop_signal == 0) {
        stop_signal = number;
        signal(SIGALRM, on_grace_over);
        alarm(GRACE_SEC);
    }
    if (stop_hook != NULL)
        stop_hook();
    errno = saved;
}

void stop_catch(void (*hook)(void))
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    /* no SA_RESTART: blocking calls return EINTR */
    const struct sigaction stop = {.sa_handler = on_stop};
    stop_hook = hook;
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
        if (!stop_is_ignored(numbers[i]))
            sigaction(numbers[i], &stop, NULL);
    signal(SIGXFSZ, SIG_IGN); /* a write beyond the limit fails with EFBIG instead */
}

bool stop_asked(void)
{
    return stop_signal != 0;
}

void stop_record(int number)
{
    stop_signal = number;
}

void stop_finish(void)
{
    if (stop_signal != 0)
        die(stop_signal);
}
