/* SPDX-License-Identifier: MIT
 *
 * A hostile host of the guest's agent: whatever it sends, the agent ends when the host does, with
 * all its sessions. The requested commands are not run: their processes end at once.
 */
#include "agent/agent.h"
#include "agent/spawn.h"
#include "../lib/wire_input.h"
#include "fuzz.h"

#include <glib.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

void child_run(const SpawnRequest *request, const ChildEnds *ends)
{
    _exit(0);
}

/* Undo the agent's changes of the process's signals. */
static void keep_signals(void (*function)(const AgentOptions *options), const AgentOptions *options)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
    struct sigaction kept[G_N_ELEMENTS(numbers)];
    sigset_t mask;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
        sigaction(numbers[i], NULL, &kept[i]);
    function(options);
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
        sigaction(numbers[i], &kept[i], NULL);
    sigprocmask(SIG_SETMASK, &mask, NULL);
}

static void serve(const AgentOptions *options)
{
    int status = agent_run(options);
    g_assert_true(status == EXIT_SUCCESS || status == EXIT_FAILURE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int pair[2];
    Channel channel;
    WireBuffer input = {0};
    wire_input_put(&input, data, size);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
    g_assert_cmpint(channel_use_socket(&channel, pair[0]), ==, 0);
    ssize_t sent = send(pair[1], wire_buffer_head(&input), wire_buffer_size(&input), MSG_DONTWAIT);
    g_assert_cmpint(sent, ==, wire_buffer_size(&input));
    wire_buffer_clear(&input);
    shutdown(pair[1], SHUT_WR);

    const AgentOptions options = {.channel = &channel, .user = "", .handover = -1, .notify = -1};
    keep_signals(serve, &options);
    close(pair[1]);
    return 0;
}
