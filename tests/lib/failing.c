/* SPDX-License-Identifier: MIT */
#include "failing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

static bool running;
static bool all_later; /* later calls fail, too */
static guint calls, fail_at;
static const char *failed;    /* the first call that failed */
static GHashTable *allocated; /* allocated by the run and not freed */

static bool fails(const char *name, int errnum)
{
    if (!running || ++calls < fail_at || (calls > fail_at && !all_later))
        return false;
    failed = failed != NULL ? failed : name;
    errno = errnum;
    return true;
}

/* GLib's own memory is not counted, since its calls are not wrapped. */
static void *keep(void *memory)
{
    if (running && memory != NULL)
        g_hash_table_add(allocated, memory);
    return memory;
}

#define WRAP(result, name, parameters)                                                             \
    result __wrap_##name parameters;                                                               \
    result __wrap_##name parameters
#define REAL(result, name, parameters) extern result __real_##name parameters

#define WRAP_MEMORY(name, parameters, arguments)                                                   \
    REAL(void *, name, parameters);                                                                \
    WRAP(void *, name, parameters)                                                                 \
    {                                                                                              \
        return fails(#name, ENOMEM) ? NULL : keep(__real_##name arguments);                        \
    }

#define WRAP_FILE(type, name, parameters, arguments)                                               \
    REAL(type *, name, parameters);                                                                \
    WRAP(type *, name, parameters)                                                                 \
    {                                                                                              \
        return fails(#name, ENOMEM) ? NULL : __real_##name arguments;                              \
    }

#define WRAP_FD(name, parameters, arguments)                                                       \
    REAL(int, name, parameters);                                                                   \
    WRAP(int, name, parameters)                                                                    \
    {                                                                                              \
        return fails(#name, EMFILE) ? -1 : __real_##name arguments;                                \
    }

WRAP_MEMORY(malloc, (size_t size), (size))
WRAP_MEMORY(calloc, (size_t count, size_t size), (count, size))

REAL(void *, realloc, (void *memory, size_t size));
WRAP(void *, realloc, (void *memory, size_t size))
{
    if (fails("realloc", ENOMEM))
        return NULL;
    if (running)
        g_hash_table_remove(allocated, memory);
    return keep(__real_realloc(memory, size));
}

REAL(void, free, (void *memory));
WRAP(void, free, (void *memory))
{
    if (running)
        g_hash_table_remove(allocated, memory);
    __real_free(memory);
}

WRAP(char *, strdup, (const char *text))
{
    size_t size = strlen(text) + 1;
    char *copy = fails("strdup", ENOMEM) ? NULL : keep(__real_malloc(size));
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

/* As asprintf, which may leave *@ret undefined. */
G_GNUC_PRINTF(2, 0) static int print(char **ret, const char *format, va_list list)
{
    char *text = NULL;
    *ret = (char *)"not to be used";
    if (fails("asprintf", ENOMEM))
        return -1;
    int length = vasprintf(&text, format, list);
    *ret = keep(text);
    return length;
}

G_GNUC_PRINTF(2, 3) WRAP(int, asprintf, (char **ret, const char *format, ...))
{
    va_list list;
    va_start(list, format);
    int length = print(ret, format, list);
    va_end(list);
    return length;
}

G_GNUC_PRINTF(3, 4) WRAP(int, __asprintf_chk, (char **ret, int flag, const char *format, ...))
{
    va_list list;
    va_start(list, format);
    int length = print(ret, format, list);
    va_end(list);
    return length;
}

REAL(ssize_t, getline, (char **line, size_t *size, FILE *file));
WRAP(ssize_t, getline, (char **line, size_t *size, FILE *file))
{
    return fails("getline", ENOMEM) ? -1 : __real_getline(line, size, file);
}

WRAP_FILE(FILE, fopen64, (const char *path, const char *mode), (path, mode))
WRAP_FILE(FILE, fdopen, (int fd, const char *mode), (fd, mode))
WRAP_FILE(DIR, opendir, (const char *path), (path))
WRAP_FILE(DIR, fdopendir, (int fd), (fd))
WRAP_FD(socket, (int family, int type, int protocol), (family, type, protocol))
WRAP_FD(socketpair, (int family, int type, int protocol, int *pair), (family, type, protocol, pair))
WRAP_FD(accept4, (int fd, struct sockaddr *address, socklen_t *size, int flags),
        (fd, address, size, flags))
WRAP_FD(pipe2, (int *pair, int flags), (pair, flags))
WRAP_FD(fork, (void), ())
WRAP_FD(epoll_create1, (int flags), (flags))
WRAP_FD(timerfd_create, (int clock, int flags), (clock, flags))
WRAP_FD(signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags))
WRAP_FD(inotify_init1, (int flags), (flags))

/* Only adding allocates: the kernel never refuses to change or delete what it watches. */
REAL(int, epoll_ctl, (int epoll, int operation, int fd, struct epoll_event *event));
WRAP(int, epoll_ctl, (int epoll, int operation, int fd, struct epoll_event *event))
{
    if (operation == EPOLL_CTL_ADD && fails("epoll_ctl", ENOSPC))
        return -1;
    return __real_epoll_ctl(epoll, operation, fd, event);
}

static mode_t mode_of(int flags, va_list list)
{
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(list, mode_t) : 0;
}

REAL(int, open64, (const char *path, int flags, ...));
WRAP(int, open64, (const char *path, int flags, ...))
{
    va_list list;
    va_start(list, flags);
    mode_t mode = mode_of(flags, list);
    va_end(list);
    return fails("open", EMFILE) ? -1 : __real_open64(path, flags, mode);
}

REAL(int, openat64, (int directory, const char *path, int flags, ...));
WRAP(int, openat64, (int directory, const char *path, int flags, ...))
{
    va_list list;
    va_start(list, flags);
    mode_t mode = mode_of(flags, list);
    va_end(list);
    return fails("openat", EMFILE) ? -1 : __real_openat64(directory, path, flags, mode);
}

/* List the open descriptors with their targets. */
static char *descriptors(void)
{
    GString *list = g_string_new(NULL);
    for (int fd = 0; fd < 1024; fd++) {
        char path[64];
        char target[256];
        g_snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        ssize_t length = readlink(path, target, sizeof(target));
        if (length > 0)
            g_string_append_printf(list, "%d %.*s\n", fd, (int)length, target);
    }
    return g_string_free(list, FALSE);
}

static void check(const char *before)
{
    g_autofree char *after = descriptors();
    if (g_strcmp0(before, after) != 0)
        g_error("call %u, %s, failed%s; descriptors before:\n%safter:\n%s", fail_at, failed,
                all_later ? ", and all after it" : "", before, after);
    if (g_hash_table_size(allocated) != 0)
        g_error("call %u, %s, failed%s; %u blocks of memory are left", fail_at, failed,
                all_later ? ", and all after it" : "", g_hash_table_size(allocated));
#if defined(__SANITIZE_ADDRESS__)
    g_assert_cmpint(__lsan_do_recoverable_leak_check(), ==, 0);
#endif
}

static bool run_once(FailingRun run, gpointer data)
{
    g_autofree char *before = descriptors();
    calls = 0;
    failed = NULL;
    running = true;
    run(data);
    running = false;
    check(before);
    return failed != NULL;
}

static guint try_each(FailingRun run, gpointer data, bool later_too)
{
    run(data);
    allocated = g_hash_table_new(NULL, NULL);
    for (guint all = 0; all <= (guint)later_too; all++) {
        all_later = all != 0;
        fail_at = 1;
        while (run_once(run, data))
            fail_at++;
    }
    g_clear_pointer(&allocated, g_hash_table_unref);
    return calls;
}

guint failing_each(FailingRun run, gpointer data)
{
    return try_each(run, data, true);
}

guint failing_each_once(FailingRun run, gpointer data)
{
    return try_each(run, data, false);
}
