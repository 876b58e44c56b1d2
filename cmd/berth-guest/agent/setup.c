/* SPDX-License-Identifier: MIT */
#include "setup.h"

#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>

void setup_limits(bool in_machine, struct rlimit *ret_files)
{
    getrlimit(RLIMIT_NOFILE, ret_files);
    struct rlimit high = *ret_files;
    if (in_machine) {
        *ret_files = (struct rlimit){.rlim_cur = 1024, .rlim_max = 524288};
        high.rlim_max = 524288;
    }
    high.rlim_cur = high.rlim_max;
    setrlimit(RLIMIT_NOFILE, &high);
}

int setup_signals(void)
{
    static const int ignored[] = {SIGPIPE, SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
                                  SIGUSR1, SIGUSR2, SIGTTOU, SIGTTIN};
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        signal(ignored[i], SIG_IGN);
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_SETMASK, &children, NULL);
    return signalfd(-1, &children, SFD_NONBLOCK | SFD_CLOEXEC);
}
