/* SPDX-License-Identifier: MIT
 *
 * sandbox — confines a process that parses untrusted input.
 *
 * Unconditionally: closes descriptors above `last_fd`, drops all capabilities for good
 * (no_new_privs), forbids core dumps and inspection by other processes of the user, and kills the
 * process when the thread that started it ends. Landlock, where the kernel has it, forbids signals
 * and abstract unix sockets to outside processes. System calls that the rules do not allow fail
 * with EPERM.
 *
 * Irreversible, for the whole process. Call before any thread starts. Errors: errno's, with the id
 * prefix `step`.
 */
#pragma once

#include <glib.h>
#include <seccomp.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* Sanitizer runtimes need a few more calls. */
#if defined(__SANITIZE_ADDRESS__)
#define BERTH_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BERTH_SANITIZED 1
#endif
#endif

/* Allows a call if, for each entry with a mask, (argument & mask) == value. Several rules for one
 * call are alternatives. */
typedef struct {
    int call;
    struct {
        guint argument;
        guint64 mask, value;
    } only[3];
} BerthSandboxRule;

/* A directory that stays reachable, with all below it. */
typedef struct {
    int fd; /* O_PATH */
    bool read_only;
} BerthSandboxPath;

typedef struct {
    const char *step; /* of error ids: "net.lock" */
    const char *what; /* of messages: "confine berth-net" */
    int last_fd;
    guint descriptors_max;
    guint64 memory_max; /* private writable memory, bytes; 0: no limit. Not with a sanitizer */
    bool no_paths;      /* Landlock denies all paths but `paths`, even to calls that are allowed */
    const BerthSandboxPath *paths;
    gsize n_paths;
    bool leave_host; /* enter new namespaces (namespaces.h), where the host allows it */

    /* The calls of this process; sandbox.c has those that each process makes: memory, locks, the
     * time, reading, writing and waiting. */
    const int *allowed; /* with any argument */
    gsize n_allowed;
    const BerthSandboxRule *restricted;
    gsize n_restricted;
    bool threads; /* may start threads, name and signal them: abort() does. No processes */
} BerthSandbox;

/* False when a layer failed; the process must exit then. */
bool berth_sandbox_enter(const BerthSandbox *sandbox, GError **error);

G_END_DECLS
