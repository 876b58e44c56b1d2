/* SPDX-License-Identifier: MIT */
#include "host_tasks.h"

#include "os/freezer.h"
#include "os/grow.h"
#include "os/log.h"
#include "os/measure.h"
#include "os/report.h"
#include "timers/at_jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void answer(const HostTasks *tasks, WireType type, int problem)
{
    if (*tasks->connected)
        report_text(tasks->out, type, problem == 0 ? "" : strerror(problem));
}

/* It is the last thing that the host hears until it says something itself. */
static void answer_frozen(const HostTasks *tasks)
{
    answer(tasks, WIRE_FROZEN, 0);
    channel_hold(tasks->options->channel);
}

static int problem_of(int wait_status)
{
    return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : EINTR;
}

static void grow(HostTasks *tasks, const WireFrame *frame)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    uint64_t size = wire_get_u64(&reader);
    if (!wire_reader_done(&reader))
        return;
    if (tasks->grower != 0 || !tasks->options->in_machine) {
        answer(tasks, WIRE_GROWN, tasks->grower != 0 ? EBUSY : 0); /* in tests there is no disk */
        return;
    }
    pid_t pid = grow_start(size);
    if (pid < 0)
        answer(tasks, WIRE_GROWN, -pid);
    else
        tasks->grower = pid;
}

/* Tell the host what the freezer, which has ended, found. */
static void report_plan(HostTasks *tasks)
{
    if (tasks->plan != NULL && *tasks->connected)
        wake_plan_report(tasks->plan, tasks->out);
    wake_plan_free(tasks->plan);
    tasks->plan = NULL;
}

/* ---- freeze and thaw ---- */

static void thaw_root(HostTasks *tasks)
{
    if (tasks->holds_root)
        close(tasks->hold);
    tasks->holds_root = false;
}

static pid_t start_freezer(HostTasks *tasks)
{
    const AgentOptions *options = tasks->options;
    thaw_root(tasks);
    wake_plan_free(tasks->plan);
    tasks->plan = wake_plan_new(options->timers, options->proc, tasks->shares);
    const FreezerPlan prepare = {tasks->plan != NULL ? wake_plan_make : NULL, tasks->plan};
    pid_t pid = freezer_start(options->cgroups, options->in_machine, &prepare, &tasks->hold);
    tasks->holds_root = pid > 0 && tasks->hold >= 0;
    return pid;
}

/* A freezer that THAW killed must have ended before the next one begins, since the groups are
 * thawed after its end. */
static void freeze(HostTasks *tasks)
{
    if (tasks->thaws) {
        tasks->freezes = true;
        return;
    }
    pid_t pid = tasks->freezer != 0 || tasks->holding ? -EBUSY : start_freezer(tasks);
    if (pid < 0)
        answer(tasks, WIRE_FROZEN, -pid);
    else
        tasks->freezer = pid;
}

static void thaw(const HostTasks *tasks)
{
    int result = freezer_thaw(tasks->options->cgroups);
    if (result < 0)
        log_line("cannot let the distro continue: %s", strerror(-result));
    if (tasks->options->timers != NULL)
        at_jobs_nudge(tasks->options->timers);
}

static void release(HostTasks *tasks)
{
    tasks->holding = false;
    shares_say(tasks->shares, CARRIER_RELEASE, 0);
}

/* A freezer that still runs may be about to freeze another group: thaw again after its end. */
static void thaw_all(HostTasks *tasks)
{
    release(tasks);
    thaw_root(tasks);
    tasks->thaws = tasks->freezer != 0;
    tasks->freezes = false;
    if (tasks->thaws)
        kill(tasks->freezer, SIGKILL);
    thaw(tasks);
}

void host_tasks_write(HostTasks *tasks)
{
    bool again = tasks->holds_root && tasks->freezer != 0;
    if (again)
        thaw_all(tasks);
    else
        thaw_root(tasks);
    tasks->freezes |= again;
}

/* Only now: a process whose request the carrier holds does not freeze. */
static void hold(HostTasks *tasks)
{
    tasks->holding = shares_say(tasks->shares, CARRIER_HOLD, ++tasks->holds);
    if (!tasks->holding)
        answer_frozen(tasks);
}

static void end_hold(HostTasks *tasks)
{
    if (tasks->holding)
        answer_frozen(tasks);
    tasks->holding = false;
}

/* An earlier number is of a hold that THAW ended. */
void host_tasks_held(HostTasks *tasks, uint32_t number)
{
    if (number == tasks->holds)
        end_hold(tasks);
}

void host_tasks_unshared(HostTasks *tasks)
{
    end_hold(tasks);
}

static void on_frozen(HostTasks *tasks, int wait_status)
{
    int problem = problem_of(wait_status);
    tasks->freezer = 0;
    report_plan(tasks);
    if (problem != 0)
        thaw_root(tasks);
    if (!tasks->thaws && problem != 0)
        answer(tasks, WIRE_FROZEN, problem);
    else if (!tasks->thaws)
        hold(tasks);
    if (!tasks->thaws)
        return;
    tasks->thaws = false;
    thaw(tasks);
    if (tasks->freezes) {
        tasks->freezes = false;
        freeze(tasks);
    }
}

/* ---- memory ---- */

static ReclaimSystem system_of(const HostTasks *tasks)
{
    const AgentOptions *options = tasks->options;
    return (ReclaimSystem){options->cgroups, options->proc, options->in_machine};
}

static void answer_reclaim(const HostTasks *tasks, bool busy, uint64_t taken, uint64_t refaulted)
{
    if (!*tasks->connected)
        return;
    size_t begin = wire_frame_begin(tasks->out, WIRE_RECLAIMED, 0, 0);
    wire_put_u8(tasks->out, busy);
    wire_put_u64(tasks->out, taken);
    wire_put_u64(tasks->out, refaulted);
    wire_frame_end(tasks->out, begin);
}

/* The processes that took memory meanwhile count against what was given back: 0, not negative. */
static uint64_t increase(uint64_t before, uint64_t after)
{
    return after > before ? after - before : 0;
}

static void measure(const HostTasks *tasks)
{
    const char *proc = tasks->options->proc;
    const Measure now = measure_now(proc != NULL ? proc : "/proc", "/");
    if (!*tasks->connected)
        return;
    size_t begin = wire_frame_begin(tasks->out, WIRE_MEASURED, 0, 0);
    wire_put_u64(tasks->out, now.memory);
    wire_put_u64(tasks->out, now.memory_available);
    wire_put_u64(tasks->out, now.disk);
    wire_put_u64(tasks->out, now.disk_used);
    wire_frame_end(tasks->out, begin);
}

static void reclaim(HostTasks *tasks, const WireFrame *frame)
{
    WireReader reader;
    wire_reader_init(&reader, frame);
    bool urgent = wire_get_u8(&reader) != 0;
    const ReclaimSystem system = system_of(tasks);
    if (!wire_reader_done(&reader))
        return;
    const ReclaimCounts now = reclaim_counts(&system);
    pid_t pid = tasks->reclaimer != 0 ? -EBUSY : reclaim_start(&system, urgent);
    if (pid < 0) {
        answer_reclaim(tasks, true, 0, 0);
        return;
    }
    tasks->asked = now;
    tasks->reclaimer = pid;
}

static void on_reclaimed(HostTasks *tasks, int problem)
{
    const ReclaimSystem system = system_of(tasks);
    uint64_t refaulted = increase(tasks->answered.refaulted, tasks->asked.refaulted);
    tasks->reclaimer = 0;
    if (problem == EBUSY) {
        answer_reclaim(tasks, true, 0, 0);
        return;
    }
    tasks->answered = reclaim_counts(&system);
    if (problem != 0)
        log_line("cannot give memory back to the host: %s", strerror(problem));
    answer_reclaim(tasks, false, increase(tasks->asked.free, tasks->answered.free), refaulted);
}

bool host_tasks_frame(HostTasks *tasks, const WireFrame *frame)
{
    switch (frame->type) {
    case WIRE_GROW:
        grow(tasks, frame);
        return true;
    case WIRE_FREEZE:
        freeze(tasks);
        return true;
    case WIRE_RELEASE:
        release(tasks);
        return true;
    case WIRE_THAW:
        thaw_all(tasks);
        return true;
    case WIRE_MEASURE:
        measure(tasks);
        return true;
    case WIRE_RECLAIM:
        reclaim(tasks, frame);
        return true;
    default:
        return false;
    }
}

/* Nobody waits for the end of either process. */
void host_tasks_forget(HostTasks *tasks)
{
    tasks->grower = 0;
    tasks->reclaimer = 0;
}

void host_tasks_reaped(HostTasks *tasks, pid_t pid, int wait_status)
{
    if (pid == tasks->grower) {
        tasks->grower = 0;
        answer(tasks, WIRE_GROWN, problem_of(wait_status));
    } else if (pid == tasks->reclaimer) {
        on_reclaimed(tasks, problem_of(wait_status));
    } else if (pid == tasks->freezer) {
        on_frozen(tasks, wait_status);
    }
}
