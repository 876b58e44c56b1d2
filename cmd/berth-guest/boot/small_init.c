/* SPDX-License-Identifier: MIT */
#include "small_init.h"

#include "mounts.h"

#include "os/clock.h"
#include "os/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_USEC    5000000u /* between SIGTERM and SIGKILL */
#define KILL_USEC     2000000u /* for the kernel to end processes after SIGKILL */
#define PROCESSES_MAX 4096

static const struct {
    int number;
    int command; /* of reboot(2) */
} actions[] = {
    {SIGUSR1, RB_POWER_OFF}, /* halt powers off: a halted machine would run on */
    {SIGUSR2, RB_POWER_OFF},
    {SIGTERM, RB_AUTOBOOT},
    {SIGINT, RB_AUTOBOOT},
};

static sigset_t handled(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
        sigaddset(&set, actions[i].number);
    return set;
}

void small_init_hold_signals(void)
{
    sigset_t set = handled();
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static void reap(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
}

/* Whether to end the process: not PID 1, kernel threads and zombies (no command line), or exempt
 * ones ('@'). */
static bool must_end(const char *entry)
{
    char path[64];
    char first = '\0';
    if (entry[0] < '1' || entry[0] > '9' || atoi(entry) == 1)
        return false;
    snprintf(path, sizeof(path), "/proc/%.20s/cmdline", entry);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool has_name = read(fd, &first, 1) == 1;
    close(fd);
    return has_name && first != '@';
}

/* Send signal @number to all processes to end. Stores at most @max of their pidfds to poll. */
static size_t signal_all(int number, struct pollfd *waits, size_t max)
{
    DIR *directory = opendir("/proc");
    if (directory == NULL)
        return 0;
    size_t count = 0;
    const struct dirent *entry;
    while (count < max && (entry = readdir(directory)) != NULL) {
        if (!must_end(entry->d_name))
            continue;
        int pid = atoi(entry->d_name);
        int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (pidfd < 0) {
            kill(pid, number); /* without waiting for its end */
            continue;
        }
        syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0);
        if (number == SIGTERM) {
            /* interactive shells end at SIGHUP only, stopped processes after SIGCONT only */
            syscall(SYS_pidfd_send_signal, pidfd, SIGHUP, NULL, 0);
            syscall(SYS_pidfd_send_signal, pidfd, SIGCONT, NULL, 0);
        }
        waits[count++] = (struct pollfd){.fd = pidfd, .events = POLLIN};
    }
    closedir(directory);
    return count;
}

/* Poll until all processes have ended or @limit_usec has passed. */
static void wait_for(struct pollfd *waits, size_t count, uint64_t limit_usec)
{
    uint64_t deadline = clock_boottime_usec() + limit_usec;
    size_t left = count;
    while (left > 0) {
        uint64_t now = clock_boottime_usec();
        if (now >= deadline || poll(waits, count, (int)((deadline - now) / 1000 + 1)) < 0)
            break;
        for (size_t i = 0; i < count; i++) {
            if (waits[i].fd >= 0 && waits[i].revents != 0) {
                close(waits[i].fd);
                waits[i].fd = -1; /* poll ignores it */
                left--;
            }
        }
        reap();
    }
    for (size_t i = 0; i < count; i++) {
        if (waits[i].fd >= 0)
            close(waits[i].fd);
    }
}

static void end_processes(void)
{
    static struct pollfd waits[PROCESSES_MAX];
    wait_for(waits, signal_all(SIGTERM, waits, PROCESSES_MAX), GRACE_USEC);
    /* several rounds: processes may fork before they are killed */
    for (int round = 0; round < 10; round++) {
        size_t count = signal_all(SIGKILL, waits, PROCESSES_MAX);
        if (count == 0)
            break;
        wait_for(waits, count, KILL_USEC);
    }
}

__attribute__((noreturn)) static void go_down(int command)
{
    end_processes();
    mounts_leave();
    reboot(command);
    log_line("the kernel did not power off");
    for (;;)
        pause();
}

void small_init_run(void)
{
    struct rlimit files = {.rlim_cur = 2 * PROCESSES_MAX, .rlim_max = 2 * PROCESSES_MAX};
    setrlimit(RLIMIT_NOFILE, &files);
    sigset_t set = handled();
    /* Not sigwaitinfo: it unblocks the signals while it waits, and power.c reads from
     * /proc/1/status whether they are blocked. */
    int signals = signalfd(-1, &set, SFD_CLOEXEC);
    for (;;) {
        struct signalfd_siginfo info;
        if (read(signals, &info, sizeof(info)) != sizeof(info))
            continue;
        int number = (int)info.ssi_signo;
        reap();
        for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
            if (actions[i].number == number)
                go_down(actions[i].command);
        }
    }
}
