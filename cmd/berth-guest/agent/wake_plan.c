/* SPDX-License-Identifier: MIT */
#include "wake_plan.h"

#include "os/log.h"
#include "share/watchers.h"
#include "timers/plan.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

struct WakePlan {
    const char *timers;
    const char *proc;
    const Shares *shares;
    /* Set last, by the child process: it may be killed at any moment. */
    Due due;
    size_t n_watchers;
    Watcher watchers[WATCHERS_MAX];
};

WakePlan *wake_plan_new(const char *timers, const char *proc, const Shares *shares)
{
    WakePlan *plan =
        mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (plan == MAP_FAILED)
        return NULL;
    plan->timers = timers;
    plan->proc = proc;
    plan->shares = shares;
    return plan;
}

void wake_plan_free(WakePlan *plan)
{
    if (plan != NULL)
        munmap(plan, sizeof(*plan));
}

/* The device of the file system at @path, without a request to who serves it. */
static bool device_of(const char *path, dev_t *ret_device)
{
    struct statx info;
    if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, 0, &info) < 0)
        return false;
    *ret_device = makedev(info.stx_dev_major, info.stx_dev_minor);
    return true;
}

void wake_plan_make(void *data)
{
    WakePlan *plan = data;
    dev_t device;
    Due due = {0};
    if (plan->timers != NULL && !plan_next(plan->timers, &due))
        log_line("systemd did not say which of its timers is next");
    plan->due = due;
    const char *root = plan->shares->root;
    if (plan->proc != NULL && root[0] != '\0' && device_of(root, &device))
        plan->n_watchers = watchers_list(plan->proc, device, plan->watchers);
}

static void report_due(const Due *due, WireBuffer *out)
{
    size_t begin = wire_frame_begin(out, WIRE_DUE, 0, 0);
    wire_put_u64(out, (uint64_t)due->sec);
    wire_put_u32(out, due->lead_sec);
    wire_put_u32(out, due->hold_sec);
    wire_put_text(out, due->name, sizeof(due->name) - 1);
    wire_frame_end(out, begin);
}

static void report_watchers(const Watcher *watchers, size_t n, WireBuffer *out)
{
    size_t begin = wire_frame_begin(out, WIRE_WATCHED, 0, 0);
    wire_put_u32(out, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        wire_put_u64(out, watchers[i].node);
        wire_put_u32(out, watchers[i].mask);
    }
    wire_frame_end(out, begin);
}

void wake_plan_report(const WakePlan *plan, WireBuffer *out)
{
    if (plan->due.sec > 0)
        report_due(&plan->due, out);
    for (size_t at = 0; at < plan->n_watchers; at += WIRE_WATCHED_MAX) {
        size_t left = plan->n_watchers - at;
        report_watchers(plan->watchers + at, left < WIRE_WATCHED_MAX ? left : WIRE_WATCHED_MAX,
                        out);
    }
}
