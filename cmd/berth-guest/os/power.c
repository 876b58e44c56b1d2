/* SPDX-License-Identifier: MIT */
#include "power.h"

#include "file.h"
#include "log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* systemd counts real-time signals as the C library does, from SIGRTMIN; ours and busybox's are
 * those that busybox's own poweroff and reboot send to PID 1. 0: by command. */
typedef struct {
    const char *name;
    int realtime[2]; /* over SIGRTMIN, by WirePower */
    int plain[2];
    bool repeat; /* nobody can see whether it hears: it waits with sigwaitinfo, which unblocks */
} Init;

static const Init inits[] = {
    [INIT_NONE] = {.name = "agent"},
    [INIT_BERTH] = {.name = "berth", .plain = {SIGUSR2, SIGTERM}},
    [INIT_SYSTEMD] = {.name = "systemd", .realtime = {4, 5}},
    [INIT_BUSYBOX] = {.name = "busybox", .plain = {SIGUSR2, SIGTERM}, .repeat = true},
    [INIT_OTHER] = {.name = "init"},
};

static const char *const commands[] = {
    [WIRE_POWER_OFF] = "poweroff", [WIRE_POWER_REBOOT] = "reboot"};

const char *power_init_name(InitKind kind)
{
    return inits[kind].name;
}

/* Whether PID 1 has blocked (for a signalfd) or handles @number: until it does, the kernel drops
 * the signal, since an init has no default actions. */
static bool init_hears(int number)
{
    static const char *const fields[] = {"\nSigBlk:", "\nSigCgt:"};
    char *status = file_read("/proc/1/status");
    bool hears = status == NULL;
    for (size_t i = 0; i < 2 && !hears; i++) {
        const char *field = strstr(status, fields[i]);
        if (field != NULL)
            hears = (strtoull(field + strlen(fields[i]), NULL, 16) >> (number - 1) & 1) != 0;
    }
    free(status);
    return hears;
}

static void run_command(const char *command)
{
    pid_t pid = fork();
    if (pid != 0)
        return;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    execlp(command, command, (char *)NULL);
    log_line("cannot run %s: %s", command, strerror(errno));
    _exit(127);
}

bool power_request(InitKind kind, WirePower action)
{
    const Init *init = &inits[kind];
    int number =
        init->realtime[action] != 0 ? SIGRTMIN + init->realtime[action] : init->plain[action];
    if (number == 0) {
        run_command(commands[action]);
        return true;
    }
    bool hears = init_hears(number);
    if (hears || init->repeat)
        kill(1, number);
    return hears && !init->repeat;
}
