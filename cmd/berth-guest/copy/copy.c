/* SPDX-License-Identifier: MIT */
#include "copy.h"

#include "input_end.h"
#include "tilde.h"
#include "transfer/receiver.h"
#include "transfer/sender.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define STATUS_USAGE 2
#define PIPE_SIZE    262144 /* fewer wake-ups than with 64 KiB */

static int write_output(void *data, const void *bytes, size_t size)
{
    const char *next = bytes;
    while (size > 0) {
        ssize_t written = write(STDOUT_FILENO, next, size);
        if (written < 0 && errno != EINTR)
            return -errno;
        next += written > 0 ? written : 0;
        size -= written > 0 ? (size_t)written : 0;
    }
    return 0;
}

static ptrdiff_t read_input(void *data, void *bytes, size_t size)
{
    ssize_t count;
    do
        count = read(STDIN_FILENO, bytes, size);
    while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
}

static int send_paths(char **paths, bool recursive)
{
    const TransferSend send = {.paths = paths, .recursive = recursive, .write = write_output};
    fcntl(STDOUT_FILENO, F_SETPIPE_SZ, PIPE_SIZE);
    for (char **path = paths; *path != NULL; path++)
        *path = tilde_remove(*path);
    return transfer_send(&send) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void report(void *data, const TransferProblem *problem)
{
    TransferWriter *writer = data;
    if (transfer_put_problem(writer, problem) == 0)
        transfer_flush(writer); /* the host shows it at once; it has gone where this fails */
}

static int receive_path(char *path, bool directory)
{
    TransferWriter writer = {.write = write_output};
    const TransferReceive receive = {
        .path = tilde_remove(path),
        .directory = directory,
        .read = read_input,
        .report = report,
        .data = &writer,
    };
    input_end_on_signals();
    signal(SIGPIPE, SIG_IGN);
    fcntl(STDIN_FILENO, F_SETPIPE_SZ, PIPE_SIZE);
    bool ok = transfer_put_begin(&writer) == 0 && transfer_receive(&receive) == 0 &&
              transfer_put(&writer, TRANSFER_END) == 0;
    ok = transfer_flush(&writer) == 0 && ok;
    transfer_writer_clear(&writer);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int copy_main(char **argv)
{
    const char *verb = argv[0] != NULL ? argv[0] : "";
    char **next = argv[0] != NULL ? argv + 1 : argv;
    const char *option = strcmp(verb, "send") == 0 ? "-r" : "-d";
    bool given = *next != NULL && strcmp(*next, option) == 0;
    next += given;
    if (*next == NULL || strcmp(*next, "--") != 0 || next[1] == NULL)
        return STATUS_USAGE;
    prctl(PR_SET_NAME, "berth-copy"); /* "exe" would name nothing in ps */
    if (strcmp(verb, "send") == 0)
        return send_paths(next + 1, given);
    return strcmp(verb, "receive") == 0 && next[2] == NULL ? receive_path(next[1], given)
                                                           : STATUS_USAGE;
}
