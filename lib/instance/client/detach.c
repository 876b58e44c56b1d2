/* SPDX-License-Identifier: MIT */
#include "detach.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_FD  3
#define HIGH_FD   16 /* above every descriptor number the keeper gets */
#define FILES_MIN 256

/* Needed to find and run the keeper's programs, and the host's system bus where it is elsewhere;
 * the sanitizers' are for builds with them. */
static const char *const variables[] = {"PATH",          "HOME",
                                        "USER",          "LOGNAME",
                                        "TMPDIR",        "LD_LIBRARY_PATH",
                                        "ASAN_OPTIONS",  "LSAN_OPTIONS",
                                        "UBSAN_OPTIONS", "DBUS_SYSTEM_BUS_ADDRESS"};

typedef struct {
    int resource;
    const char *name;
    const char *flag; /* of the shell's ulimit */
    rlim_t least;     /* that a keeper needs */
} Limit;

#define LIMITS 5

/* The child's report of a failure, over a pipe. */
typedef struct {
    int errnum; /* 0: the limit */
    int limit;  /* an index */
} Report;

/* Everything the child needs; allocated before the fork. */
typedef struct {
    const BerthDetach *detach;
    char **environment;
    Limit limits[LIMITS];
    int report_fd;
} Plan;

static char **make_environment(void)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new();
    for (gsize i = 0; i < G_N_ELEMENTS(variables); i++) {
        const char *value = g_getenv(variables[i]);
        if (value != NULL)
            g_ptr_array_add(list, g_strconcat(variables[i], "=", value, NULL));
    }
    g_ptr_array_add(list, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&list), FALSE);
}

/* --- in the child: async-signal-safe calls only ----------------------------------------------- */

static void fail(const Plan *plan, int errnum, int limit)
{
    const Report report = {errnum, limit};
    ssize_t ignored = write(plan->report_fd, &report, sizeof(report));
    (void)ignored;
    _exit(1);
}

static void raise_limits(const Plan *plan)
{
    for (int i = 0; i < LIMITS; i++) {
        const Limit *limit = &plan->limits[i];
        struct rlimit now;
        if (getrlimit((__rlimit_resource_t)limit->resource, &now) < 0)
            continue;
        now.rlim_cur = now.rlim_max;
        setrlimit((__rlimit_resource_t)limit->resource, &now);
        if (now.rlim_max >= limit->least)
            continue;
        const struct rlimit enough = {limit->least, limit->least};
        if (setrlimit((__rlimit_resource_t)limit->resource, &enough) < 0)
            fail(plan, 0, i);
    }
}

/* Best effort: without privileges values stay as they are. */
static void reset_priority(void)
{
    const int process = 1; /* IOPRIO_WHO_PROCESS of linux/ioprio.h */
    const struct sched_param parameters = {0};
    sched_setscheduler(0, SCHED_OTHER, &parameters);
    setpriority(PRIO_PROCESS, 0, 0);
    syscall(SYS_ioprio_set, process, 0, 0);
    int fd = open("/proc/self/oom_score_adj", O_WRONLY);
    ssize_t ignored = fd >= 0 ? write(fd, "0", 1) : 0;
    (void)ignored;
    close(fd);
}

/* Move the descriptors above HIGH_FD first, so that no dup2 overwrites one still needed. dup2
 * clears close-on-exec. */
static void place_descriptors(Plan *plan)
{
    const BerthDetach *detach = plan->detach;
    int null_fd = open("/dev/null", O_RDWR);
    int high[BERTH_DETACH_FDS_MAX];
    plan->report_fd = fcntl(plan->report_fd, F_DUPFD_CLOEXEC, HIGH_FD);
    int log_high = fcntl(detach->log_fd, F_DUPFD, HIGH_FD);
    int null_high = fcntl(null_fd, F_DUPFD, HIGH_FD);
    for (guint i = 0; i < detach->n_fds; i++)
        high[i] = fcntl(detach->fds[i] >= 0 ? detach->fds[i] : null_fd, F_DUPFD, HIGH_FD);
    bool ok = dup2(null_high, STDIN_FILENO) >= 0 && dup2(null_high, STDOUT_FILENO) >= 0 &&
              dup2(log_high, STDERR_FILENO) >= 0;
    for (guint i = 0; ok && i < detach->n_fds; i++)
        ok = dup2(high[i], FIRST_FD + (int)i) >= 0;
    if (!ok)
        fail(plan, errno, -1);
    guint first = FIRST_FD + detach->n_fds, report = (guint)plan->report_fd;
    close_range(first, report - 1, 0);
    close_range(report + 1, ~0U, 0);
}

static void become(Plan *plan)
{
    setsid();
    pid_t child = fork();
    if (child != 0)
        _exit(child > 0 ? 0 : 1);
    raise_limits(plan);
    berth_process_reset_signals();
    reset_priority();
    umask(077);
    if (chdir("/") < 0)
        fail(plan, errno, -1);
    place_descriptors(plan);
    execve(plan->detach->argv[0], plan->detach->argv, plan->environment);
    fail(plan, errno, -1);
}

/* --- in the starter --------------------------------------------------------------------------- */

static bool set_error(GError **error, const Plan *plan, const Report *report)
{
    if (report->errnum != 0) {
        berth_error_set_errno(error, report->errnum, "instance.start", "%s", plan->detach->argv[0]);
        return false;
    }
    const Limit *limit = &plan->limits[report->limit];
    g_autofree char *hint = g_strdup_printf(
        "start it from a shell without that limit: \"ulimit -H%s\" shows it", limit->flag);
    berth_error_set(error, BERTH_ERROR_DENIED, "instance.limit", hint,
                    "the limit on %s of this shell is too low for a virtual machine", limit->name);
    return false;
}

static bool run(Plan *plan, int report_read, int *report_write, GError **error)
{
    Report report = {0};
    pid_t child = fork();
    if (child == 0) {
        plan->report_fd = *report_write;
        become(plan);
    }
    if (child < 0) {
        report.errnum = errno;
        return set_error(error, plan, &report);
    }
    berth_fd_close(report_write);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) /* of the double fork; ends at once */
        continue;
    ssize_t size;
    do
        size = read(report_read, &report, sizeof(report));
    while (size < 0 && errno == EINTR);
    /* closed by the exec */
    return size != sizeof(report) || set_error(error, plan, &report);
}

bool berth_detach(const BerthDetach *detach, GError **error)
{
    g_auto(GStrv) environment =
        detach->environment != NULL ? g_strdupv((char **)detach->environment) : make_environment();
    Plan plan = {
        .detach = detach,
        .environment = environment,
        .limits = {{RLIMIT_FSIZE, "the size of files", "f", (rlim_t)detach->file_size},
                   {RLIMIT_NOFILE, "open files", "n", FILES_MIN},
                   {RLIMIT_CPU, "CPU time", "t", RLIM_INFINITY},
                   {RLIMIT_AS, "virtual memory", "v", 0},
                   {RLIMIT_DATA, "data memory", "d", 0}},
    };
    int report[2];
    if (pipe2(report, O_CLOEXEC) < 0) {
        berth_error_set_errno(error, errno, "instance.start", "pipe");
        return false;
    }
    berth_autofd int report_read = report[0];
    berth_autofd int report_write = report[1];
    return run(&plan, report_read, &report_write, error);
}
