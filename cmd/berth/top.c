/* SPDX-License-Identifier: MIT
 *
 * berth top — shows what running distros take of this host, anew each second.
 */
#include "commands.h"

#include "base/fd.h"
#include "base/size.h"
#include "guest_use.h"
#include "json.h"
#include "print.h"

#include <errno.h>
#include <stdio.h>
#include <sys/timerfd.h>
#include <unistd.h>

static const Option options[] = {
    {"count", 'n', "NUMBER", "Stop after NUMBER tables"},
    {"json", 0, NULL, "For programs, as JSON: one object per line for each table"},
    {NULL},
};

/* A timer that expires every second; -1 on error. */
static int timer_open(GError **error)
{
    const struct itimerspec second = {{.tv_sec = 1}, {.tv_sec = 1}};
    berth_autofd int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    if (fd >= 0 && timerfd_settime(fd, 0, &second, NULL) == 0)
        return berth_fd_steal(&fd);
    berth_error_set_errno(error, errno, "top.timer", "timer");
    return -1;
}

static bool timer_wait(int fd, GError **error)
{
    guint64 expirations;
    while (read(fd, &expirations, sizeof(expirations)) < 0)
        if (errno != EINTR) {
            berth_error_set_errno(error, errno, "top.timer", "timer");
            return false;
        }
    return true;
}

/* --- values --- */

/* One look at all distros. */
typedef struct {
    GPtrArray *usages; /* BerthDistroUsage * */
    gint64 at_usec;    /* monotonic */
} Sample;

static void sample_clear(Sample *sample)
{
    g_clear_pointer(&sample->usages, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Sample, sample_clear)

static bool sample_take(Berth *berth, Sample *sample, GError **error)
{
    GPtrArray *usages = berth_usages(berth, error);
    if (usages == NULL)
        return false;
    sample_clear(sample);
    *sample = (Sample){usages, g_get_monotonic_time()};
    return true;
}

static const BerthDistroUsage *find(const Sample *sample, const char *id)
{
    for (guint i = 0; sample->usages != NULL && i < sample->usages->len; i++) {
        const BerthDistroUsage *usage = sample->usages->pdata[i];
        if (g_str_equal(usage->id, id))
            return usage;
    }
    return NULL;
}

/* Per mille of one processor since @before; 0 for one that was not there, or has a new QEMU. */
static guint64 processor_permille(const BerthDistroUsage *usage, const Sample *before,
                                  gint64 at_usec)
{
    const BerthDistroUsage *old = find(before, usage->id);
    gint64 passed = at_usec - before->at_usec;
    if (old == NULL || passed <= 0 || old->processor_usec > usage->processor_usec)
        return 0;
    return (usage->processor_usec - old->processor_usec) * 1000 / (guint64)passed;
}

/* Bytes a second, both ways, since @before; 0 for one that was not there, or has a new berth-net.
 */
static guint64 traffic(const BerthDistroUsage *usage, const Sample *before, gint64 at_usec)
{
    const BerthDistroUsage *old = find(before, usage->id);
    gint64 passed = at_usec - before->at_usec;
    guint64 bytes = usage->use.received + usage->use.sent;
    guint64 old_bytes = old != NULL ? old->use.received + old->use.sent : 0;
    if (old == NULL || passed <= 0 || old_bytes > bytes)
        return 0;
    return (guint64)((double)(bytes - old_bytes) * G_USEC_PER_SEC / (double)passed);
}

/* --- printing --- */

/* @bytes as the guest has reported them; in brackets if it is suspended, so that the report is old.
 */
static char *used_text(const BerthDistroUsage *usage, guint64 bytes)
{
    if (usage->use.seen_usec == 0)
        return g_strdup("-");
    g_autofree char *size = berth_size_format(bytes);
    return g_str_equal(usage->state, "running") ? g_steal_pointer(&size)
                                                : g_strdup_printf("(%s)", size);
}

static void print_text(const Sample *now, const Sample *before, bool terminal)
{
    static const char *const headings[] = {"NAME",  "STATE", "CPU %", "MEMORY", "USED",
                                           "NET/S", "DISK",  "USED",  "OF",     NULL};
    g_autoptr(Table) table = table_new(headings);
    for (guint i = 0; i < now->usages->len; i++) {
        const BerthDistroUsage *usage = now->usages->pdata[i];
        guint64 permille = processor_permille(usage, before, now->at_usec);
        table_add(table, usage->name);
        table_add(table, usage->state);
        table_add_take(table, g_strdup_printf("%" G_GUINT64_FORMAT ".%" G_GUINT64_FORMAT,
                                              permille / 10, permille % 10));
        table_add_take(table, berth_size_format(usage->memory));
        table_add_take(table, used_text(usage, usage->use.memory_used));
        table_add_take(table, berth_size_format(traffic(usage, before, now->at_usec)));
        table_add_take(table, berth_size_format(usage->disk_used));
        table_add_take(table, used_text(usage, usage->use.disk_used));
        table_add_take(table, berth_size_format(usage->disk_size));
    }
    if (terminal)
        printf("\033[H\033[J"); /* from the upper left corner, on an empty screen */
    table_print_fitting(table);
    fflush(stdout);
}

static void print_json(const Sample *now, const Sample *before)
{
    Json *json = json_begin(true);
    json_begin_array(json, "distros");
    for (guint i = 0; i < now->usages->len; i++) {
        const BerthDistroUsage *usage = now->usages->pdata[i];
        json_begin_object(json, NULL);
        json_add_string(json, "name", usage->name);
        json_add_string(json, "id", usage->id);
        json_add_string(json, "state", usage->state);
        json_add_number(json, "cpu_permille", processor_permille(usage, before, now->at_usec));
        json_add_number(json, "cpu_usec", usage->processor_usec);
        json_add_number(json, "memory", usage->memory);
        json_add_number(json, "disk_size", usage->disk_size);
        json_add_number(json, "disk_used", usage->disk_used);
        guest_use_json(json, &usage->use);
        json_end(json);
    }
    json_end(json);
    json_print(json);
}

/* --- the command --- */

/* Print what was used since @before, which becomes what is now. */
static bool show(Invocation *invocation, Sample *before, bool terminal, GError **error)
{
    g_auto(Sample) now = {0};
    if (!sample_take(invocation->berth, &now, error))
        return false;
    if (invocation_flag(invocation, "json"))
        print_json(&now, before);
    else
        print_text(&now, before, terminal);
    sample_clear(before);
    *before = (Sample){g_steal_pointer(&now.usages), now.at_usec};
    return true;
}

static int run(Invocation *invocation, GError **error)
{
    int count = -1; /* no end */
    bool terminal = isatty(STDOUT_FILENO) == 1;
    g_auto(Sample) before = {0};
    if (!invocation_number(invocation, "count", G_MAXINT, &count, error))
        return -1;
    berth_autofd int timer = timer_open(error);
    if (timer < 0 || !sample_take(invocation->berth, &before, error))
        return -1;
    for (int i = 0; i != count && ferror(stdout) == 0; i++)
        if (!timer_wait(timer, error) || !show(invocation, &before, terminal, error))
            return -1;
    return 0;
}

const Command command_top = {
    .name = "top",
    .synopsis = "[OPTION]...",
    .summary = "Show how much of this host each running distro uses",
    .details = "The table is printed every second. CPU is in per cent of one processor. MEMORY\n"
               "is the memory of QEMU (or the kept memory of a suspended distro), berth-net and\n"
               "the keeper; memory shared by several processes is divided between them. DISK is\n"
               "the disk's space on this host, and OF is the disk's size in the distro. USED is\n"
               "the part of its own memory and file system that the distro uses, as it reports;\n"
               "in brackets, its last report. NET/S is its traffic in both directions.\n"
               "\n"
               "Ctrl-C ends the command. It does not start, wake or keep awake any distro.",
    .options = options,
    .run = run,
};
