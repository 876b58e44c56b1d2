/* SPDX-License-Identifier: MIT */
#include "sandbox.h"

#include "base/error.h"
#include "base/fd.h"
#include "namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef BERTH_SANITIZED
/* The leak check at exit would ptrace this process, which the sandbox forbids. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

/* Each layer returns 0 or an errno. */

static int close_descriptors(const BerthSandbox *sandbox)
{
    return close_range((unsigned)sandbox->last_fd + 1, ~0u, 0) < 0 ? errno : 0;
}

static int limit_to(int resource, rlim_t most)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) < 0)
        return errno;
    limit.rlim_max = MIN(limit.rlim_max, most);
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(resource, &limit) < 0 ? errno : 0;
}

static int set_limits(const BerthSandbox *sandbox)
{
    int errnum = limit_to(RLIMIT_CORE, 0);
    if (errnum == 0)
        errnum = limit_to(RLIMIT_NOFILE, sandbox->descriptors_max);
#ifndef BERTH_SANITIZED
    if (errnum == 0 && sandbox->memory_max != 0)
        errnum = limit_to(RLIMIT_DATA, sandbox->memory_max);
#endif
    return errnum;
}

/* Optional: many hosts refuse, and the other layers remain. */
static int leave_host(const BerthSandbox *sandbox)
{
    int errnum = sandbox->leave_host ? berth_namespaces_leave() : 0;
    if (errnum != 0)
        g_debug("%s: no namespaces here: %s", sandbox->step, g_strerror(errnum));
    return 0;
}

static int drop_capabilities(const BerthSandbox *sandbox)
{
    /* Fails without CAP_SETPCAP, and then there is nothing to drop. */
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
        prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);

    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
    return syscall(SYS_capset, &header, none) < 0 ? errno : 0;
}

static int refuse_privileges(const BerthSandbox *sandbox)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? errno : 0;
}

static int hide_memory(const BerthSandbox *sandbox)
{
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? errno : 0;
}

/* After the capabilities: changing them may clear the signal. */
static int die_with_parent(const BerthSandbox *sandbox)
{
    return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ? errno : 0;
}

/* Handle every right that this Landlock version knows, and grant none. The counts are the kernel's
 * (Documentation/userspace-api/landlock.rst), since headers may be older. */
static guint64 landlock_rights(int version)
{
    static const guint rights[] = {0, 13, 14, 15, 15, 16}; /* count of rights, by version */
    return (G_GUINT64_CONSTANT(1) << rights[MIN((gsize)version, G_N_ELEMENTS(rights) - 1)]) - 1;
}

/* The ruleset attributes of version 6: older headers lack the last ones, and older kernels get a
 * smaller size. */
typedef struct {
    guint64 handled_access_fs;
    guint64 handled_access_net; /* none: the network stays */
    guint64 scoped;
} Ruleset;

#define READ_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* No devices, and nothing to execute. REFER is of version 2, TRUNCATE of 3. */
#define TRUNCATE_RIGHT (G_GUINT64_CONSTANT(1) << 14)
#define WRITE_RIGHTS                                                                               \
    (READ_RIGHTS | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                 \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |  \
     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM |   \
     LANDLOCK_ACCESS_FS_REFER | TRUNCATE_RIGHT)

#define SCOPED_VERSION 6
#define SCOPED_ALL     3u /* abstract unix sockets, signals */

static int allow_paths(const BerthSandbox *sandbox, int ruleset, guint64 handled)
{
    for (gsize i = 0; i < sandbox->n_paths; i++) {
        const BerthSandboxPath *path = &sandbox->paths[i];
        const struct landlock_path_beneath_attr rule = {
            .allowed_access = (path->read_only ? READ_RIGHTS : WRITE_RIGHTS) & handled,
            .parent_fd = path->fd};
        if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
            return errno;
    }
    return 0;
}

static int close_paths(const BerthSandbox *sandbox)
{
    if (!sandbox->no_paths)
        return 0;
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version <= 0)
        return 0; /* no Landlock in this kernel: seccomp alone has to do */

    const Ruleset attributes = {.handled_access_fs = landlock_rights((int)version),
                                .scoped = SCOPED_ALL};
    gsize size = version >= SCOPED_VERSION ? sizeof(attributes) : sizeof(guint64);
    berth_autofd int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
    if (ruleset < 0)
        return errno;
    int errnum = allow_paths(sandbox, ruleset, attributes.handled_access_fs);
    if (errnum != 0)
        return errnum;
    return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? errno : 0;
}

static int add_rule(scmp_filter_ctx filter, const BerthSandboxRule *rule)
{
    struct scmp_arg_cmp matches[G_N_ELEMENTS(rule->only)];
    guint count = 0;
    for (guint i = 0; i < G_N_ELEMENTS(rule->only) && rule->only[i].mask != 0; i++)
        matches[count++] = SCMP_CMP(rule->only[i].argument, SCMP_CMP_MASKED_EQ, rule->only[i].mask,
                                    rule->only[i].value);
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rule->call, count, matches);
}

/* Each process needs these for its allocator, libc's streams and its loop; none takes a path. */
static const int common[] = {
    SCMP_SYS(brk),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(close),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(fstat),
    SCMP_SYS(futex),
    SCMP_SYS(getpid),
    SCMP_SYS(getrandom),
    SCMP_SYS(gettid),
    SCMP_SYS(madvise),
    SCMP_SYS(mremap),
    SCMP_SYS(munmap),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll), /* libc may use either */
    SCMP_SYS(read),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(write),
    SCMP_SYS(writev),
#ifdef BERTH_SANITIZED
    SCMP_SYS(sigaltstack),
#endif
};

/* No memory to execute; not F_SETOWN, which sends signals. */
static const BerthSandboxRule common_restricted[] = {
    {SCMP_SYS(mmap), {{2, PROT_EXEC, 0}}},          {SCMP_SYS(mprotect), {{2, PROT_EXEC, 0}}},
    {SCMP_SYS(fcntl), {{1, G_MAXUINT32, F_GETFD}}}, {SCMP_SYS(fcntl), {{1, G_MAXUINT32, F_SETFD}}},
    {SCMP_SYS(fcntl), {{1, G_MAXUINT32, F_GETFL}}},
};

/* libc makes these calls at a thread's start and end. */
static const int of_threads[] = {
    SCMP_SYS(rseq),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(sched_getaffinity), /* of a thread's attributes, which sanitizers read */
    SCMP_SYS(sched_yield),
    SCMP_SYS(set_robust_list),
};

static const BerthSandboxRule of_threads_restricted[] = {
    {SCMP_SYS(prctl), {{0, G_MAXUINT32, PR_SET_NAME}}},
    {SCMP_SYS(prlimit64), {{0, G_MAXUINT32, 0}, {2, G_MAXUINT64, 0}}}, /* its own, to read */
};

static int allow_all(scmp_filter_ctx filter, const int *calls, gsize n_calls)
{
    int result = 0;
    for (gsize i = 0; result == 0 && i < n_calls; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
    return result;
}

static int add_rules(scmp_filter_ctx filter, const BerthSandboxRule *rules, gsize n_rules)
{
    int result = 0;
    for (gsize i = 0; result == 0 && i < n_rules; i++)
        result = add_rule(filter, &rules[i]);
    return result;
}

/* clone3 passes its flags in memory, out of the filter's reach; as it seems absent, libc falls back
 * to clone. */
static int allow_threads(scmp_filter_ctx filter)
{
    const guint64 flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
    const BerthSandboxRule rules[] = {
        {SCMP_SYS(clone), {{0, flags, flags}}},
        {SCMP_SYS(tgkill), {{0, G_MAXUINT32, (guint64)getpid()}}},
    };
    int result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (result == 0)
        result = add_rules(filter, rules, G_N_ELEMENTS(rules));
    if (result == 0)
        result = allow_all(filter, of_threads, G_N_ELEMENTS(of_threads));
    if (result == 0)
        result = add_rules(filter, of_threads_restricted, G_N_ELEMENTS(of_threads_restricted));
    return result;
}

static int allow_calls(const BerthSandbox *sandbox, scmp_filter_ctx filter)
{
    int result = allow_all(filter, common, G_N_ELEMENTS(common));
    if (result == 0)
        result = add_rules(filter, common_restricted, G_N_ELEMENTS(common_restricted));
    if (result == 0 && sandbox->threads)
        result = allow_threads(filter);
    if (result == 0)
        result = allow_all(filter, sandbox->allowed, sandbox->n_allowed);
    if (result == 0)
        result = add_rules(filter, sandbox->restricted, sandbox->n_restricted);
    return -result;
}

/* Other calls fail with EPERM instead of killing: libraries probe for features. */
static int filter_calls(const BerthSandbox *sandbox)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (filter == NULL)
        return ENOMEM;
    int errnum = allow_calls(sandbox, filter);
    if (errnum == 0)
        errnum = -seccomp_load(filter);
    seccomp_release(filter);
    return errnum;
}

static const struct {
    const char *name;
    int (*apply)(const BerthSandbox *sandbox);
} layers[] = {
    {"close descriptors", close_descriptors},
    {"set limits", set_limits},
    {"enter new namespaces", leave_host}, /* while still dumpable: it writes its own id maps */
    {"set no_new_privs", refuse_privileges},
    {"drop capabilities", drop_capabilities},
    {"forbid core dumps and inspection", hide_memory},
    {"die with the parent", die_with_parent},
    {"restrict paths (Landlock)", close_paths},
    {"filter system calls", filter_calls},
};

bool berth_sandbox_enter(const BerthSandbox *sandbox, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(layers); i++) {
        int errnum = layers[i].apply(sandbox);
        if (errnum == 0)
            continue;
        berth_error_set_errno(error, errnum, sandbox->step, "%s: %s", sandbox->what,
                              layers[i].name);
        return false;
    }
    return true;
}
