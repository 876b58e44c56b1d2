/* SPDX-License-Identifier: MIT
 *
 * berth-guest — the only file in the initramfs. As PID 1 it brings the machine up (boot/boot.c) and
 * hands PID 1 to the distro's init; `--agent FD` is the agent alone, as an ordinary process over a
 * socket. The other words are the host's, which runs this program in sessions (ssh/ssh.h).
 */
#include "agent/agent.h"
#include "boot/boot.h"
#include "os/log.h"
#include "ssh/ssh.h"
#include "ssh/ssh_session.h"

#include <errno.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int usage(void)
{
    fputs("usage: berth-guest --agent FD [--no-listeners | --device NAME]\n"
          "Serve sessions over the stream socket FD. Without arguments: only as PID 1.\n",
          stderr);
    return 2;
}

static int run_agent(const char *number, bool listeners, const char *device)
{
    char *end;
    long fd = strtol(number, &end, 10);
    if (end == number || *end != '\0' || fd < 0 || fd > 1000000)
        return usage();

    /* Descriptors inherited from the parent must not reach the sessions. */
    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    Channel channel;
    int result = channel_use_socket(&channel, (int)fd);
    if (result < 0) {
        log_line("descriptor %ld: %s", fd, strerror(-result));
        return EXIT_FAILURE;
    }
    AgentOptions options = {
        .channel = &channel,
        .init = INIT_NONE,
        .user = "",
        .listeners = listeners,
        .device = device,
        .handover = -1,
        .notify = -1,
        .umask = 022,
    };
    return agent_run(&options);
}

int main(int argc, char **argv)
{
    if (getpid() == 1)
        boot(argv);
    if (ssh_session_is(argv[0]))
        return ssh_session_run(argv);
    if (ssh_is(argc, argv))
        return ssh_run(argc, argv);
    bool quiet = argc == 4 && strcmp(argv[3], "--no-listeners") == 0;
    bool proxies = argc == 5 && strcmp(argv[3], "--device") == 0;
    if (argc < 3 || strcmp(argv[1], "--agent") != 0 || (argc > 3 && !quiet && !proxies))
        return usage();
    return run_agent(argv[2], !quiet, proxies ? argv[4] : NULL);
}
