/* SPDX-License-Identifier: MIT */
#include "guest_file.h"

#include "base/error.h"
#include "base/fd.h"
#include "instance/client/session_client.h"
#include "wire/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STATUS_USAGE 2 /* of an agent of an earlier berth, too, which does not know the word */
#define REPORT_MAX   64

/* The steps of cmd/berth-guest/copy/file.h, as error ids begin. */
static const char *const steps[][2] = {
    {"open", "file.open"}, {"read", "file.read"}, {"write", "file.write"}};

static bool fail_old(const BerthGuestFile *file, GError **error)
{
    g_autofree char *hint =
        g_strdup_printf("restart it: \"berth terminate %s\", then try again", file->name);
    berth_error_set(error, BERTH_ERROR_GUEST, "file.old-guest", hint,
                    "%s was started by a version of berth that cannot do this", file->name);
    return false;
}

static bool fail_special(const BerthGuestFile *file, int number, GError **error)
{
    berth_error_set(error, BERTH_ERROR_INVALID, "file.special", NULL, "%s: %s", file->path,
                    number == EISDIR ? "is a directory" : "is no regular file");
    return false;
}

/* Set @error from the line "STEP ERRNO" that the guest wrote. */
static bool fail_reported(const BerthGuestFile *file, const char *report, GError **error)
{
    char step[16];
    int number;
    bool read = sscanf(report, "%15[a-z] %d", step, &number) == 2 && number > 0 && number < 4096;
    for (gsize i = 0; read && i < G_N_ELEMENTS(steps); i++) {
        if (strcmp(step, steps[i][0]) != 0)
            continue;
        berth_error_set_errno(error, number, steps[i][1], "%s", file->path);
        return false;
    }
    if (read && strcmp(step, "special") == 0)
        return fail_special(file, number, error);
    bool input = read && strcmp(step, "input") == 0;
    berth_error_set(error, input ? BERTH_ERROR_CANCELLED : BERTH_ERROR_PROTOCOL,
                    input ? "file.input" : "file.protocol", NULL, "%s: %s", file->path,
                    input ? "the new content ended early, and the file is as it was"
                          : "the distro gave no reason");
    return false;
}

/* Read what is in the pipe @fd, which has no writer any more or does not wait. */
static void read_report(int fd, char *report)
{
    ssize_t size = read(fd, report, REPORT_MAX - 1);
    report[size > 0 ? size : 0] = '\0';
}

static bool run(const BerthGuestFile *file, const char *const *argv, int input, int output,
                GError **error)
{
    int pipe[2];
    char report[REPORT_MAX];
    g_autoptr(GError) problem = NULL;
    if (pipe2(pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
        berth_error_set_errno(error, errno, "file", "pipe");
        return false;
    }
    berth_autofd int report_read = pipe[0];
    berth_autofd int report_write = pipe[1];
    const BerthCommand command = {.argv = argv,
                                  .user = file->user,
                                  .input = input,
                                  .output = output,
                                  .errors = report_write,
                                  .terminal = -1};
    int status = berth_session_client_run(file->connection, &command, &problem);
    if (problem != NULL) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    read_report(report_read, report);
    if (status == 0)
        return true;
    return status == STATUS_USAGE ? fail_old(file, error) : fail_reported(file, report, error);
}

bool berth_guest_file_read(const BerthGuestFile *file, guint64 offset, guint64 limit, int output,
                           GError **error)
{
    g_autofree char *begin = g_strdup_printf("%" G_GUINT64_FORMAT, offset);
    g_autofree char *most = g_strdup_printf("%" G_GUINT64_FORMAT, limit);
    const char *const argv[] = {
        WIRE_GUEST_PROGRAM, WIRE_GUEST_FILE, "read", begin, most, file->path, NULL};
    return run(file, argv, -1, output, error);
}

bool berth_guest_file_write(const BerthGuestFile *file, int input, guint64 size, GError **error)
{
    g_autofree char *bytes = g_strdup_printf("%" G_GUINT64_FORMAT, size);
    berth_autofd int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
    const char *const argv[] = {
        WIRE_GUEST_PROGRAM, WIRE_GUEST_FILE, "write", bytes, file->path, NULL};
    return run(file, argv, input, nothing, error);
}
