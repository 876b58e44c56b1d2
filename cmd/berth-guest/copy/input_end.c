/* SPDX-License-Identifier: MIT */
#include "input_end.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/* In a signal handler. */
static void end_input(int number)
{
    int saved = errno;
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nothing >= 0)
        dup2(nothing, STDIN_FILENO);
    close(nothing);
    errno = saved;
}

void input_end_on_signals(void)
{
    static const int numbers[] = {SIGHUP, SIGINT, SIGTERM, SIGQUIT};
    const struct sigaction action = {.sa_handler = end_input}; /* interrupts read */
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        sigaction(numbers[i], &action, NULL);
}
