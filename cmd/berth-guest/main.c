/* SPDX-License-Identifier: MIT
 *
 * berth-guest — the only file in the initramfs. As PID 1 it brings the machine up (boot/boot.c) and
 * hands PID 1 to the distro's init; `--agent FD` is the agent alone, as an ordinary process over a
 * socket, and `--carry FUSE PORT ROOT [NEXT]` a share's carrier alone. As `berthpath`,
 * `berth-fsmonitor` or a name of host/berth_host.h it is that command. The other words are the
 * host's, which runs this program in sessions (copy/copy.h, copy/file.h, mount/mount.h, ssh/ssh.h).
 */
#include "agent/agent.h"
#include "agent/ssh_agent.h"
#include "boot/boot.h"
#include "copy/copy.h"
#include "copy/file.h"
#include "fsmonitor/fsmonitor.h"
#include "host/berth_host.h"
#include "mount/mount.h"
#include "os/log.h"
#include "os/programs.h"
#include "share/berthpath.h"
#include "share/carrier.h"
#include "ssh/ssh.h"
#include "ssh/ssh_session.h"
#include "wire/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int usage(void)
{
    fputs("usage: berth-guest --agent FD [--no-listeners | --device NAME] [--calls SOCKET]\n"
          "                   [--cgroups DIRECTORY] [--proc DIRECTORY] [--carrier FD]\n"
          "                   [--timers ROOT] [--shares DIRECTORY]\n"
          "       berth-guest --carry FUSE PORT ROOT [NEXT AGENT]\n"
          "Serve sessions over the stream socket FD, or carry the messages of the FUSE descriptor\n"
          "mounted at ROOT over the stream socket PORT, and after its end over the next\n"
          "connection to the listening socket NEXT. AGENT is a socket to a carrier's agent, and\n"
          "--carrier one to an agent's carrier. Without arguments: only as PID 1.\n",
          stderr);
    return 2;
}

static bool read_fd(const char *text, int *ret_fd)
{
    char *end;
    long fd = strtol(text, &end, 10);
    *ret_fd = (int)fd;
    return end != text && *end == '\0' && fd >= 0 && fd <= 1000000;
}

typedef struct {
    int port;
    int next; /* listening, or -1 */
} CarrierPort;

/* A socket connects once, where a virtio port does again. */
static void on_lost(void *data)
{
    const CarrierPort *ports = data;
    int connection = ports->next >= 0 ? accept4(ports->next, NULL, NULL, SOCK_NONBLOCK) : -1;
    if (connection < 0)
        exit(EXIT_SUCCESS);
    dup2(connection, ports->port);
    close(connection);
}

/* @words are those of --carry. */
static int run_carrier(char *const *words)
{
    CarrierPort ports = {.next = -1};
    Carrier carrier = {.root = words[2], .lost = on_lost, .data = &ports, .agent = -1};
    if (!read_fd(words[0], &carrier.fuse) || !read_fd(words[1], &carrier.port) ||
        (words[3] != NULL &&
         (!read_fd(words[3], &ports.next) || !read_fd(words[4], &carrier.agent))))
        return usage();
    ports.port = carrier.port;
    signal(SIGPIPE, SIG_IGN); /* which a virtio port never causes */
    fcntl(carrier.port, F_SETFL, fcntl(carrier.port, F_GETFL) | O_NONBLOCK);
    return carrier_run(&carrier) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static bool read_options(char *const *words, AgentOptions *options)
{
    for (; *words != NULL; words++) {
        if (strcmp(*words, "--no-listeners") == 0)
            options->listeners = false;
        else if (strcmp(*words, "--device") == 0 && words[1] != NULL)
            options->device = *++words;
        else if (strcmp(*words, "--calls") == 0 && words[1] != NULL)
            options->calls = *++words;
        else if (strcmp(*words, "--cgroups") == 0 && words[1] != NULL)
            options->cgroups = *++words;
        else if (strcmp(*words, "--proc") == 0 && words[1] != NULL)
            options->proc = *++words;
        else if (strcmp(*words, "--shares") == 0 && words[1] != NULL)
            snprintf(options->shares.root, sizeof(options->shares.root), "%s", *++words);
        else if (strcmp(*words, "--timers") == 0 && words[1] != NULL)
            options->timers = *++words;
        else if (strcmp(*words, "--carrier") == 0 && words[1] != NULL &&
                 read_fd(words[1], &options->shares.link))
            words++;
        else
            return false;
    }
    return true;
}

static int run_agent(char *const *words)
{
    int fd;
    AgentOptions options = {
        .init = INIT_NONE,
        .user = "",
        .listeners = true,
        .handover = -1,
        .notify = -1,
        .shares = SHARES_NONE,
        .umask = 022,
    };
    if (words[0] == NULL || !read_fd(words[0], &fd) || !read_options(words + 1, &options))
        return usage();

    /* Descriptors inherited from the parent must not reach the sessions. */
    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    Channel channel;
    int result = channel_use_socket(&channel, fd);
    if (result < 0) {
        log_line("descriptor %d: %s", fd, strerror(-result));
        return EXIT_FAILURE;
    }
    options.channel = &channel;
    return agent_run(&options);
}

int main(int argc, char **argv)
{
    if (getpid() == 1)
        boot(argv);
    if (programs_is(argv[0], BERTHPATH_NAME))
        return berthpath_run(argc, argv);
    if (programs_is(argv[0], FSMONITOR_NAME))
        return fsmonitor_run(argc, argv);
    if (berth_host_is(argv[0]))
        return berth_host_run(argc, argv);
    if (programs_is(argv[0], SSH_AGENT_PROGRAM))
        return berth_host_ssh_agent();
    if (programs_is(argv[0], GPG_AGENT_PROGRAM))
        return berth_host_gpg_agent();
    if (ssh_session_is(argv[0]))
        return ssh_session_run(argv);
    if (ssh_is(argc, argv))
        return ssh_run(argc, argv);
    if ((argc == 5 || argc == 7) && strcmp(argv[1], "--carry") == 0)
        return run_carrier(argv + 2);
    if (argc > 1 && strcmp(argv[1], WIRE_GUEST_COPY) == 0)
        return copy_main(argv + 2);
    if (argc > 1 && strcmp(argv[1], WIRE_GUEST_FILE) == 0)
        return file_main(argv + 2);
    if (argc > 1 && strcmp(argv[1], WIRE_GUEST_MOUNT) == 0)
        return mount_main(argv + 2);
    if (argc < 3 || strcmp(argv[1], "--agent") != 0)
        return usage();
    return run_agent(argv + 2);
}
