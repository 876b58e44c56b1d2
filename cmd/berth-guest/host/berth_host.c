/* SPDX-License-Identifier: MIT */
#include "berth_host.h"

#include "call.h"
#include "tty.h"

#include "os/programs.h"
#include "wire/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET          "/run/berth/host" /* agent/calls.h */
#define SSH_AGENT       "berth-ssh-agent"
#define GPG_AGENT       "berth-gpg-agent"
#define SOCKET_VARIABLE "BERTH_HOST_SOCKET"

typedef struct {
    const char *name;
    WireService service;
    int words;        /* how many it takes; -1: one or more */
    const char *help; /* after its name */
} Command;

#define URL_HELP                                                                                   \
    " URL\n"                                                                                       \
    "Open a URL (http, https or mailto) on the desktop of the host.\n"                             \
    "The host allows this with host-urls=true in its berth.conf.\n"

/* In the order of berth_host_names. */
static const Command commands[] = {
    {"berth-host", WIRE_SERVICE_COMMAND, -1,
     " COMMAND [ARGUMENT]...\n"
     "Run a command of the host as the user who runs this distro. It starts in this\n"
     "directory if the host has it, else in that user's home.\n"
     "The host allows this with host-commands=true in its berth.conf.\n"},
    {"berth-open", WIRE_SERVICE_URL, 1, URL_HELP},
    {"xdg-open", WIRE_SERVICE_URL, 1, URL_HELP},
    {"berth-copy", WIRE_SERVICE_COPY, 0,
     "\nPut the standard input on the clipboard of the host.\n"
     "The host allows this with host-clipboard=true in its berth.conf.\n"},
    {"berth-paste", WIRE_SERVICE_PASTE, 0,
     "\nWrite the clipboard of the host to the standard output.\n"
     "The host allows this with host-clipboard=true in its berth.conf.\n"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

const char *const berth_host_names[] = {"berth-host", "berth-open",  "xdg-open",
                                        "berth-copy", "berth-paste", NULL};

static const Command *find(const char *argv0)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (programs_is(argv0, commands[i].name))
            return &commands[i];
    return NULL;
}

static int usage(const Command *command, FILE *to, int status)
{
    fprintf(to, "usage: %s%s", command->name, command->help);
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

/* A connected descriptor, or -1 after a message. */
static int reach_host(const char *name)
{
    const char *given = getenv(SOCKET_VARIABLE);
    int fd = connect_to(given != NULL ? given : SOCKET);
    if (fd >= 0)
        return fd;
    fprintf(stderr, "%s: the host cannot be reached: %s\n", name, strerror(-fd));
    return -1;
}

static void put_payload(const Command *command, const Tty *tty, uint32_t flags, char **words,
                        WireBuffer *payload)
{
    char *here = getcwd(NULL, 0);
    struct winsize size = tty_size(tty);
    wire_put_u32(payload, flags);
    wire_put_u8(payload, (uint8_t)command->service);
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
static bool put_call(const Command *command, const Tty *tty, char **words, WireBuffer *output)
{
    WireBuffer payload = {0};
    uint32_t flags = flags_of(tty);
    put_payload(command, tty, flags, words, &payload);
    if (wire_buffer_size(&payload) <= WIRE_PAYLOAD_MAX) {
        wire_frame_put(output, WIRE_CALL, 0, CALL_STREAM, wire_buffer_head(&payload),
                       wire_buffer_size(&payload));
        wire_buffer_clear(&payload);
        return true;
    }
    wire_buffer_consume(&payload, wire_buffer_size(&payload));
    put_payload(command, tty, flags | WIRE_OPEN_MORE, words, &payload);
    bool fits = wire_buffer_size(&payload) <= WIRE_CALL_MAX;
    if (fits)
        wire_frames_put(output, WIRE_CALL, CALL_STREAM, wire_buffer_head(&payload),
                        wire_buffer_size(&payload));
    wire_buffer_clear(&payload);
    return fits;
}

static bool takes(const Command *command, int argc, char **argv)
{
    int count = argc - 1;
    if (command->words == 0)
        return count == 0;
    return (command->words < 0 ? count > 0 : count == command->words) && argv[1][0] != '-' &&
           argv[1][0] != '\0';
}

static int run(const Command *command, char **words)
{
    int fd = reach_host(command->name);
    if (fd < 0)
        return CALL_BERTH;
    Tty tty = command->service == WIRE_SERVICE_COMMAND ? tty_plan() : (Tty){.fd = -1};
    CallSession session = {.fd = fd, .tty = &tty};
    session.input_ended = command->service == WIRE_SERVICE_URL ||
                          command->service == WIRE_SERVICE_PASTE; /* none of theirs */
    if (!put_call(command, &tty, words, &session.out)) {
        fprintf(stderr, "%s: the command's arguments are too long\n", command->name);
        return CALL_NOT_EXECUTABLE;
    }
    return call_run(&session, command->name);
}

bool berth_host_is(const char *argv0)
{
    return find(argv0) != NULL;
}

int berth_host_run(int argc, char **argv)
{
    char *word[] = {(char *)"-", NULL}; /* a call has one at least */
    const Command *command = find(argv[0]);
    if (command == NULL)
        return CALL_BERTH; /* the caller has asked berth_host_is */
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(command, stdout, EXIT_SUCCESS);
    if (!takes(command, argc, argv))
        return usage(command, stderr, CALL_BERTH);
    return run(command, argc > 1 ? argv + 1 : word);
}

/* Let the program see the end where it reads: SIGPIPE would kill it where it writes. */
static void end_gently(void)
{
    char dropped[4096];
    shutdown(STDOUT_FILENO, SHUT_WR);
    while (read(STDIN_FILENO, dropped, sizeof(dropped)) > 0)
        continue;
}

static int relay_agent(const char *name, WireService service)
{
    int fd = reach_host(name);
    if (fd < 0)
        return CALL_BERTH;
    const Tty tty = {.fd = -1};
    const char *const words[] = {NULL};
    CallSession session = {.fd = fd, .tty = &tty};
    size_t begin = wire_frame_begin(&session.out, WIRE_CALL, 0, CALL_STREAM);
    wire_put_u32(&session.out, 0);
    wire_put_u8(&session.out, (uint8_t)service);
    wire_put_string(&session.out, "");
    wire_put_u16(&session.out, 0);
    wire_put_u16(&session.out, 0);
    wire_put_string(&session.out, "");
    wire_put_list(&session.out, words);
    wire_frame_end(&session.out, begin);
    int status = call_run(&session, name);
    end_gently();
    return status;
}

int berth_host_ssh_agent(void)
{
    return relay_agent(SSH_AGENT, WIRE_SERVICE_SSH_AGENT);
}

int berth_host_gpg_agent(void)
{
    return relay_agent(GPG_AGENT, WIRE_SERVICE_GPG_AGENT);
}
