/* SPDX-License-Identifier: MIT
 *
 * berth file — reads a part of a distro's file, or replaces it, for `berth mcp`.
 */
#include "commands.h"

#include "base/fd.h"
#include "action.h"
#include "print.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define NEW_SIZE_MAX ((gsize)64 << 20) /* kept in memory until all of it is there */

static const Option options[] = {
    {"distribution", 'd', "NAME", "In this distro instead of the default one"},
    {"user", 'u', "USER", "As this user instead of the default one"},
    {"offset", 0, "BYTES", "Read from here"},
    {"limit", 0, "BYTES", "Read so many bytes at most"},
    {NULL},
};

static bool connect_to(Invocation *invocation, BerthFile *file, char **ret_name, GError **error)
{
    g_autofree char *notice = NULL;
    const char *given = invocation_value(invocation, "distribution");
    char *name = berth_resolve(invocation->berth, given, error);
    invocation->subject = g_intern_string(name);
    *ret_name = name;
    if (name == NULL)
        return false;
    *file = (BerthFile){.name = name,
                        .user = invocation_value(invocation, "user"),
                        .path = invocation->arguments[1]};
    file->connection = berth_connect(invocation->berth, name, &notice, error);
    print_notice(notice);
    return file->connection >= 0;
}

static bool read_size(const Invocation *invocation, const char *option, guint64 *ret_size,
                      GError **error)
{
    const char *text = invocation_value(invocation, option);
    if (text == NULL || g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT64, ret_size, NULL))
        return true;
    g_autofree char *shown = g_strescape(text, NULL);
    berth_error_set(error, BERTH_ERROR_INVALID, "usage.value", NULL,
                    "--%s: \"%.80s\" is not a number of bytes", option, shown);
    return false;
}

static int read_file(Invocation *invocation, GError **error)
{
    BerthFile file = {.connection = -1};
    g_autofree char *name = NULL;
    guint64 offset = 0, limit = G_MAXINT64;
    bool ok = read_size(invocation, "offset", &offset, error) &&
              read_size(invocation, "limit", &limit, error) &&
              connect_to(invocation, &file, &name, error) &&
              berth_file_read(&file, offset, limit, STDOUT_FILENO, error);
    berth_fd_close(&file.connection);
    return ok ? 0 : -1;
}

/* Copy standard input to @fd, all of it: the guest must know the size. */
static bool spool(int fd, gsize *ret_size, GError **error)
{
    char bytes[16384];
    ssize_t count;
    *ret_size = 0;
    while ((count = read(STDIN_FILENO, bytes, sizeof(bytes))) != 0) {
        if (count < 0 && errno == EINTR)
            continue;
        *ret_size += count > 0 ? (gsize)count : 0;
        int number = count < 0                  ? errno
                     : *ret_size > NEW_SIZE_MAX ? EFBIG
                                                : -berth_fd_write_all(fd, bytes, (gsize)count);
        if (number == 0)
            continue;
        berth_error_set_errno(error, number, "file.spool", "standard input");
        return false;
    }
    return lseek(fd, 0, SEEK_SET) == 0;
}

static int write_file(Invocation *invocation, GError **error)
{
    BerthFile file = {.connection = -1};
    g_autofree char *name = NULL;
    gsize size;
    berth_autofd int content = memfd_create("berth-file", MFD_CLOEXEC);
    if (content < 0) {
        berth_error_set_errno(error, errno, "file.spool", "memory for the file");
        return -1;
    }
    bool ok = spool(content, &size, error) && connect_to(invocation, &file, &name, error) &&
              berth_file_write(&file, content, size, error);
    berth_fd_close(&file.connection);
    return ok ? 0 : -1;
}

static const Action actions[] = {
    {"read", 2, 2, NULL, read_file},
    {"write", 2, 2, NULL, write_file},
    {NULL},
};

static int run(Invocation *invocation, GError **error)
{
    return action_run(actions, "usage: berth file read PATH, or write PATH", invocation, error);
}

const Command command_file = {
    .name = "file",
    .synopsis = "[OPTION]... read PATH, or write PATH",
    .summary = "Read a part of a distro's file, or replace it",
    .details = "For programs: \"berth cp\" is for people. \"read\" prints the size of the file, a\n"
               "newline and the bytes; \"write\" replaces the file at once by standard input.",
    .min_arguments = 2,
    .max_arguments = 2,
    .hidden = true,
    .options = options,
    .run = run,
};
