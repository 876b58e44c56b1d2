/* SPDX-License-Identifier: MIT */
#include "signals.h"

#include "terminal.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

/* Grace period for an interrupted worker, lock or guest to end. */
#define PATIENCE_SEC 5

static volatile sig_atomic_t asked; /* the signal that asked us to stop, or 0 */
static void (*also_do)(void);

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

static void on_patience_over(int alarm_number)
{
    die(asked);
}

static void on_stop(int number)
{
    int saved = errno;
    if (asked == 0) {
        asked = number;
        signal(SIGALRM, on_patience_over);
        alarm(PATIENCE_SEC);
    }
    if (also_do != NULL)
        also_do();
    errno = saved;
}

void stop_catch(void (*also)(void))
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    const struct sigaction stop = {.sa_handler =
                                       on_stop}; /* no SA_RESTART: blocking calls return EINTR */
    also_do = also;
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
        if (!stop_is_ignored(numbers[i]))
            sigaction(numbers[i], &stop, NULL);
    signal(SIGXFSZ, SIG_IGN); /* a write beyond the limit fails with EFBIG instead */
}

bool stop_asked(void)
{
    return asked != 0;
}

void stop_note(int number)
{
    asked = number;
}

void stop_finish(void)
{
    if (asked != 0)
        die(asked);
}
