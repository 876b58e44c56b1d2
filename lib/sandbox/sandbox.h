/* SPDX-License-Identifier: MIT
 *
 * sandbox — a process that parses what others made gives up everything it will not need.
 *
 * Whatever the rules say: only the descriptors up to `last_fd` stay open; no privilege can be
 * gained and none is kept; no core file; no other process of the user may look into this one; it
 * dies with the thread that started it. Where the kernel has Landlock for it, no process outside
 * can be signalled and no abstract unix socket be reached. All system calls but those of the rules
 * fail with EPERM.
 *
 * For good, for the whole process. Must come before any thread is started. Errors: errno's, with
 * the id prefix of the rules.
 */
#pragma once

#include <glib.h>
#include <seccomp.h>
#include <stdbool.h>

G_BEGIN_DECLS

/* In a build with a sanitizer its runtime needs a little more. */
#if defined(__SANITIZE_ADDRESS__)
#define BERTH_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BERTH_SANITIZED 1
#endif
#endif

/* A call that is allowed with these arguments only: (argument & mask) == value, for each that has a
 * mask. Rows of one call are alternatives. */
typedef struct {
    int call;
    struct {
        guint argument;
        guint64 mask, value;
    } only[3];
} BerthSandboxRule;

typedef struct {
    const char *step; /* of error ids: "net.lock" */
    const char *what; /* of messages: "lock the network of the guest in" */
    int last_fd;
    guint descriptors_max;
    guint64 memory_max; /* private writable memory, bytes; 0: no limit. Not with a sanitizer */
    bool no_paths;      /* nothing can be reached by a path, also where a call were to allow it */
    bool leave_host;    /* namespaces of its own (namespaces.h), where the host allows it */

    const int *allowed; /* calls, whatever their arguments */
    gsize n_allowed;
    const BerthSandboxRule *restricted;
    gsize n_restricted;
    const int *absent; /* calls that fail with ENOSYS, so that libc takes an older one */
    gsize n_absent;
} BerthSandbox;

/* False when a wall could not be put up; then the process must not go on. */
bool berth_sandbox_enter(const BerthSandbox *sandbox, GError **error);

G_END_DECLS
