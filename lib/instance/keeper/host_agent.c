/* SPDX-License-Identifier: MIT */
#include "host_agent.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"
#include "guest/link.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHANNEL_FD   3
#define CHANNEL_TEXT "3"
#define FILES_USUAL  1024 /* RLIMIT_NOFILE; the keeper's own is as high as it may be */

struct BerthHostAgent {
    char *program;
    int program_fd; /* or -1 */
    const BerthHostAgentEvents *events;
    gpointer user_data;
    BerthLink *link; /* NULL while it does not run */
};

BerthHostAgent *berth_host_agent_new(const char *support_dir, const BerthHostAgentEvents *events,
                                     gpointer user_data)
{
    BerthHostAgent *agent = g_new0(BerthHostAgent, 1);
    agent->program = g_build_filename(support_dir, "berth-guest", NULL);
    agent->program_fd = open(agent->program, O_PATH | O_CLOEXEC);
    agent->events = events;
    agent->user_data = user_data;
    return agent;
}

void berth_host_agent_stop(BerthHostAgent *agent)
{
    g_clear_pointer(&agent->link, berth_link_free);
}

void berth_host_agent_free(BerthHostAgent *agent)
{
    if (agent == NULL)
        return;
    berth_host_agent_stop(agent);
    berth_fd_close(&agent->program_fd);
    g_free(agent->program);
    g_free(agent);
}

static bool on_frame(BerthLink *link, const WireFrame *frame, gpointer user_data)
{
    BerthHostAgent *agent = user_data;
    if (frame->stream != 0)
        agent->events->frame(frame, agent->user_data);
    return true;
}

static void on_closed(BerthLink *link, const GError *error, gpointer user_data)
{
    BerthHostAgent *agent = user_data;
    berth_host_agent_stop(agent);
    agent->events->ended(agent->user_data);
}

/* Its end needs no handling: the link sees it. This only reaps it. */
static void on_child_exit(GPid pid, gint wait_status, gpointer user_data)
{
    g_spawn_close_pid(pid);
}

static void prepare_child(gpointer user_data)
{
    struct rlimit files;
    berth_process_reset_signals();
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    files.rlim_cur = MIN(files.rlim_max, FILES_USUAL);
    setrlimit(RLIMIT_NOFILE, &files);
}

static bool spawn(const BerthHostAgent *agent, int channel, GPid *ret_pid, GError **error)
{
    g_autofree char *held = agent->program_fd >= 0 ? berth_fd_path(agent->program_fd) : NULL;
    const char *const argv[] = {held != NULL ? held : agent->program,
                                "berth-guest",
                                "--agent",
                                CHANNEL_TEXT,
                                "--no-listeners",
                                NULL};
    const int from[] = {channel}, to[] = {CHANNEL_FD};
    return g_spawn_async_with_pipes_and_fds(
        NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_FILE_AND_ARGV_ZERO, prepare_child,
        NULL, -1, -1, -1, from, to, G_N_ELEMENTS(from), ret_pid, NULL, NULL, NULL, error);
}

static bool start(BerthHostAgent *agent, GError **error)
{
    GPid pid;
    int pair[2];
    if (berth_fd_socketpair(SOCK_STREAM, pair) < 0) {
        berth_error_set_errno(error, errno, "host.start", "socketpair");
        return false;
    }
    berth_autofd int ours = pair[0];
    berth_autofd int theirs = pair[1];
    if (!spawn(agent, theirs, &pid, error))
        return false;
    GSource *child = g_child_watch_source_new(pid);
    g_source_set_callback(child, G_SOURCE_FUNC(on_child_exit), NULL, NULL);
    g_source_attach(child, g_main_context_get_thread_default());
    g_source_unref(child);
    agent->link = berth_link_new(berth_fd_steal(&ours), on_frame, on_closed, agent);
    return true;
}

WireBuffer *berth_host_agent_output(BerthHostAgent *agent, GError **error)
{
    if (agent->link == NULL && !start(agent, error))
        return NULL;
    return berth_link_output(agent->link);
}

void berth_host_agent_flush(BerthHostAgent *agent)
{
    if (agent->link != NULL)
        berth_link_flush(agent->link);
}
