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

/* systemd's real-time signals count from the C library's SIGRTMIN; berth's and busybox's inits use
 * the signals that busybox's poweroff and reboot send to PID 1. 0: run a command. */
typedef struct {
    const char *name;
    int realtime[2]; /* over SIGRTMIN, by WirePower */
    int plain[2];
    bool repeat; /* always retry: sigwaitinfo unblocks, so that /proc does not show readiness */
} Init;

static const Init inits[] = {
    [INIT_NONE] = {.name = "agent"},
    [INIT_BERTH] = {.name = "berth", .plain = {SIGUSR2, SIGTERM}},
    [INIT_SYSTEMD] = {.name = "systemd", .realtime = {4, 5}},
    [INIT_BUSYBOX] = {.name = "busybox", .plain = {SIGUSR2, SIGTERM}, .repeat = true},
    [INIT_OTHER] = {.name = "init"},
};

/* openrc-init reads this FIFO, which only its own command writes: the distro's poweroff may be
 * sysvinit's. */
#define OPENRC_CONTROL "/run/openrc/init.ctl"

typedef const char *Command[4];

static const Command commands[] = {
    [WIRE_POWER_OFF] = {"poweroff"}, [WIRE_POWER_REBOOT] = {"reboot"}};
static const Command openrc_commands[] = {
    [WIRE_POWER_OFF] = {"openrc-shutdown", "--poweroff", "now"},
    [WIRE_POWER_REBOOT] = {"openrc-shutdown", "--reboot", "now"}};

const char *power_init_name(InitKind kind)
{
    return inits[kind].name;
}

/* Whether PID 1 has blocked (for a signalfd) or handles @number: until it does, the kernel drops
 * the signal, since an init has no default actions. */
static bool init_handles(int number)
{
    static const char *const fields[] = {"\nSigBlk:", "\nSigCgt:"};
    char *status = file_read("/proc/1/status");
    bool handles = status == NULL;
    for (size_t i = 0; i < 2 && !handles; i++) {
        const char *field = strstr(status, fields[i]);
        if (field != NULL)
            handles = (strtoull(field + strlen(fields[i]), NULL, 16) >> (number - 1) & 1) != 0;
    }
    free(status);
    return handles;
}

static void run_command(const Command command)
{
    pid_t pid = fork();
    if (pid != 0)
        return;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    execvp(command[0], (char *const *)command);
    log_line("cannot run %s: %s", command[0], strerror(errno));
    _exit(127);
}

bool power_request(InitKind kind, WirePower action)
{
    const Init *init = &inits[kind];
    int number =
        init->realtime[action] != 0 ? SIGRTMIN + init->realtime[action] : init->plain[action];
    if (number == 0) {
        bool openrc = access(OPENRC_CONTROL, F_OK) == 0;
        run_command(openrc ? openrc_commands[action] : commands[action]);
        return true;
    }
    bool handles = init_handles(number);
    if (handles || init->repeat)
        kill(1, number);
    return handles && !init->repeat;
}
