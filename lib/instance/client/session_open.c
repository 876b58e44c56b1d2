/* SPDX-License-Identifier: MIT */
#include "session_open.h"

#include "base/error.h"

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WireBuffer, wire_buffer_clear)

static guint32 open_flags(const BerthCommand *command)
{
    const struct {
        bool on;
        WireOpenFlags flag;
    } rows[] = {
        {command->tty, WIRE_OPEN_TTY},
        {command->login, WIRE_OPEN_LOGIN},
        {command->shell, WIRE_OPEN_SHELL},
        {command->bare, WIRE_OPEN_BARE},
        {command->pipe_input, WIRE_OPEN_PIPE_STDIN},
        {command->pipe_output, WIRE_OPEN_PIPE_STDOUT},
        {command->pipe_errors, WIRE_OPEN_PIPE_STDERR},
        {command->cooked, WIRE_OPEN_COOKED},
    };
    guint32 flags = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        flags |= rows[i].on ? (guint32)rows[i].flag : 0;
    return flags;
}

static void build_open(const BerthCommand *command, guint32 flags, WireBuffer *payload)
{
    wire_put_u32(payload, flags);
    wire_put_string(payload, command->user);
    wire_put_string(payload, command->cwd);
    wire_put_u16(payload, (guint16)command->rows);
    wire_put_u16(payload, (guint16)command->columns);
    wire_put_list(payload, command->argv);
    wire_put_list(payload, command->environment);
    wire_put_list(payload, command->offered);
}

void berth_session_open_set_too_long(GError **error, const char *message)
{
    berth_error_set(error, BERTH_ERROR_GUEST, "session.too-long",
                    "pass fewer arguments at once (xargs -s 100000), or pass them on standard "
                    "input or in a file",
                    "%s", message);
}

bool berth_session_open_put(const BerthCommand *command, WireBuffer *output, bool *ret_split,
                            GError **error)
{
    g_auto(WireBuffer) payload = {0};
    guint32 flags = open_flags(command) | WIRE_OPEN_ANSWERS;
    build_open(command, flags, &payload);
    *ret_split = wire_buffer_size(&payload) > WIRE_PAYLOAD_MAX;
    if (*ret_split) {
        wire_buffer_consume(&payload, wire_buffer_size(&payload));
        build_open(command, flags | WIRE_OPEN_MORE, &payload);
    }
    if (payload.failed || wire_buffer_size(&payload) > WIRE_OPEN_MAX) {
        berth_session_open_set_too_long(
            error, "the command's arguments and environment are too long for any kernel");
        return false;
    }
    if (*ret_split)
        wire_frames_put(output, WIRE_OPEN, BERTH_SESSION_STREAM, wire_buffer_head(&payload),
                        wire_buffer_size(&payload));
    else
        wire_frame_put(output, WIRE_OPEN, 0, BERTH_SESSION_STREAM, wire_buffer_head(&payload),
                       wire_buffer_size(&payload));
    return true;
}
