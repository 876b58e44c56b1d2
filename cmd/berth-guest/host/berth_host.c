/* SPDX-License-Identifier: MIT */
#include "berth_host.h"

#include "call.h"
#include "tty.h"

#include "wire/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET          "/run/berth/host" /* agent/calls.h */
#define SOCKET_VARIABLE "BERTH_HOST_SOCKET"

static int usage(FILE *to, int status)
{
    fputs("usage: " BERTH_HOST_NAME " COMMAND [ARGUMENT]...\n"
          "Run a command of the host as the user who runs this distro. It starts in this\n"
          "directory if the host has it, else in that user's home.\n"
          "The host allows this with host-commands=true in its berth.conf.\n",
          to);
    return status;
}

/* A connected descriptor, or -errno. */
static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd < 0 ? -errno : fd;
    int problem = errno;
    close(fd);
    return -problem;
}

static void put_payload(const Tty *tty, uint32_t flags, char **words, WireBuffer *payload)
{
    char *here = getcwd(NULL, 0);
    struct winsize size = tty_size(tty);
    wire_put_u32(payload, flags);
    wire_put_u8(payload, WIRE_SERVICE_COMMAND);
    wire_put_string(payload, here);
    wire_put_u16(payload, size.ws_row);
    wire_put_u16(payload, size.ws_col);
    wire_put_string(payload, tty->fd >= 0 ? getenv("TERM") : NULL);
    wire_put_list(payload, (const char *const *)words);
    free(here);
}

static uint32_t flags_of(const Tty *tty)
{
    static const WireOpenFlags pipes[] = {WIRE_OPEN_PIPE_STDIN, WIRE_OPEN_PIPE_STDOUT,
                                          WIRE_OPEN_PIPE_STDERR};
    uint32_t flags = tty->fd >= 0 ? WIRE_OPEN_TTY : 0;
    for (int i = 0; i < 3 && flags != 0; i++)
        flags |= tty->pipes[i] ? (uint32_t)pipes[i] : 0;
    return flags != 0 && !tty->raw ? flags | WIRE_OPEN_COOKED : flags;
}

/* False: it is too long. */
static bool put_call(const Tty *tty, char **words, WireBuffer *output)
{
    WireBuffer payload = {0};
    uint32_t flags = flags_of(tty);
    put_payload(tty, flags, words, &payload);
    if (wire_buffer_size(&payload) <= WIRE_PAYLOAD_MAX) {
        wire_frame_put(output, WIRE_CALL, 0, CALL_STREAM, wire_buffer_head(&payload),
                       wire_buffer_size(&payload));
        wire_buffer_clear(&payload);
        return true;
    }
    wire_buffer_consume(&payload, wire_buffer_size(&payload));
    put_payload(tty, flags | WIRE_OPEN_MORE, words, &payload);
    bool fits = wire_buffer_size(&payload) <= WIRE_CALL_MAX;
    if (fits)
        wire_frames_put(output, WIRE_CALL, CALL_STREAM, wire_buffer_head(&payload),
                        wire_buffer_size(&payload));
    wire_buffer_clear(&payload);
    return fits;
}

int berth_host_run(int argc, char **argv)
{
    if (argc < 2)
        return usage(stderr, CALL_BERTH);
    if (strcmp(argv[1], "--help") == 0)
        return usage(stdout, EXIT_SUCCESS);
    if (argv[1][0] == '-' || argv[1][0] == '\0')
        return usage(stderr, CALL_BERTH);

    const char *given = getenv(SOCKET_VARIABLE);
    int fd = connect_to(given != NULL ? given : SOCKET);
    if (fd < 0) {
        fprintf(stderr, BERTH_HOST_NAME ": the host cannot be reached: %s\n", strerror(-fd));
        return CALL_BERTH;
    }
    Tty tty = tty_plan();
    CallSession session = {.fd = fd, .tty = &tty};
    if (!put_call(&tty, argv + 1, &session.out)) {
        fputs(BERTH_HOST_NAME ": the command's arguments are too long\n", stderr);
        return CALL_NOT_EXECUTABLE;
    }
    return call_run(&session, BERTH_HOST_NAME);
}
