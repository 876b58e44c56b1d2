/* SPDX-License-Identifier: MIT
 *
 * berth export — writes a distro's files to an archive, or its disk to an image.
 *
 * For a regular file, the library writes a temporary file and renames it when complete. Standard
 * output, pipes and devices are written directly. On a signal the output descriptor is replaced by
 * /dev/null, so that a write blocked on a reader returns at once.
 */
#include "commands.h"

#include "base/fd.h"
#include "progress_bar.h"
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int output_fd = -1;
static int null_fd = -1;

/* Signal handler: unblock a write that waits for a reader of the output. */
static void drop_output(void)
{
    if (output_fd >= 0)
        dup2(null_fd, output_fd);
}

static bool on_progress(guint64 done, guint64 total, guint64 entries, gpointer user_data)
{
    progress_update(user_data, done, total);
    return !stop_asked();
}

static bool is_stream(const char *path)
{
    struct stat there;
    return stat(path, &there) == 0 && !S_ISREG(there.st_mode) && !S_ISDIR(there.st_mode) &&
           !S_ISBLK(there.st_mode);
}

/* Open @path if it is a stream: "-" (standard output), or an existing pipe or character device.
 * *ret_fd is -1 if @path is, or will become, a regular file. */
static bool open_stream(const char *path, int *ret_fd, GError **error)
{
    *ret_fd = -1;
    bool standard = strcmp(path, "-") == 0;
    if (!standard && !is_stream(path))
        return true;
    int fd = standard ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        berth_error_set_errno(error, errno, "export.create", "%s", path);
        return false;
    }
    if (isatty(fd)) {
        close(fd);
        berth_error_set(error, BERTH_ERROR_INVALID, "export.terminal",
                        "name a file, or send it into a pipe",
                        "an archive is not written to a terminal");
        return false;
    }
    *ret_fd = fd;
    return true;
}

static int run(Invocation *invocation, GError **error)
{
    const char *name = invocation->arguments[0];
    const char *path = invocation->arguments[1];
    invocation->subject = name;

    berth_autofd int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
    berth_autofd int stream = -1;
    null_fd = nothing;
    stop_catch(drop_output);
    signal(SIGPIPE, SIG_IGN); /* a write to a closed pipe fails with EPIPE instead */
    if (!open_stream(path, &stream, error))
        return -1;
    output_fd = stream;

    Progress progress;
    g_autofree char *notice = NULL;
    const BerthExport export = {.path = stream < 0 ? path : NULL,
                                .fd = stream,
                                .format = invocation_value(invocation, "format"),
                                .replace = invocation_flag(invocation, "force")};
    progress_begin(&progress, name);
    bool ok =
        berth_export(invocation->berth, name, &export, on_progress, &progress, &notice, error);
    progress_end(&progress);
    if (notice != NULL)
        fprintf(stderr, "berth: %s\n", notice);
    return ok ? 0 : -1;
}

static const Option options[] = {
    {"format", 0, "FORMAT", "tar, tar.gz, tar.xz, tar.zst or ext4",
     "tar|tar.gz|tar.xz|tar.zst|ext4"},
    {"force", 'f', NULL, "Replace FILE if it exists"},
    {NULL},
};

const Command command_export = {
    .name = "export",
    .spellings = "--export",
    .synopsis = "NAME FILE",
    .completes = "distro file",
    .summary = "Write a distro's files to an archive, or its disk to an image",
    .details = "The suffix of FILE chooses the format: .tar, .tar.gz, .tgz, .wsl, .tar.xz, .txz,\n"
               ".tar.zst, .ext4 or .img. For standard output, give - as FILE. The distro must be\n"
               "stopped. FILE appears only when it is complete.",
    .min_arguments = 2,
    .max_arguments = 2,
    .options = options,
    .run = run,
};
