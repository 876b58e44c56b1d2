/* SPDX-License-Identifier: MIT
 *
 * host_call — one call of the guest (lib/wire/wire.h): decodes it, checks it against the user's
 * settings, and makes the OPEN for the agent on the host.
 *
 * The guest is not trusted. What it sends chooses a command's words, directory, terminal and
 * standard streams, and nothing of its environment but a TERM that the host's terminfo knows.
 */
#pragma once

#include "model/machine.h"
#include "wire/wire.h"

G_BEGIN_DECLS

/* Strings are borrowed from the payload; the list is freed by berth_host_call_clear. */
typedef struct {
    guint32 flags; /* WireOpenFlags */
    WireService service;
    const char *cwd; /* in the guest, absolute; or "" */
    guint16 rows, columns;
    const char *term; /* or "" */
    char **argv;
} BerthHostCall;

/* Read the whole payload @frame, which may be larger than a frame's. False: it is malformed, or a
 * word exceeds Linux's limit; the call is empty then. */
bool berth_host_call_read(const WireFrame *frame, BerthHostCall *ret_call);
void berth_host_call_clear(BerthHostCall *call);

/* Why @machine's guest may not use @service now, a line for its user; or NULL: it may. Reads the
 * user's settings, so that a change counts at once. Free with g_free. */
char *berth_host_call_refusal(const BerthMachine *machine, WireService service);

/* The directory of the host that is @cwd in the guest, by @paths (the host's, the guest's, by
 * turns); the user's home if the guest's is not a shared one. Free with g_free. */
char *berth_host_call_directory(const char *cwd, char *const *paths);

/* Append to @output the CONNECT to the socket @path as @stream. False: it is too long. */
bool berth_host_call_put_connect(const char *path, guint32 stream, WireBuffer *output);

/* Append to @output the OPEN of @call as @stream, which runs @argv (host_service) in @directory.
 * @desk: further variables ("NAME=value"), of host_desk. */
void berth_host_call_put_open(const BerthHostCall *call, const char *directory,
                              const char *const *argv, const char *const *desk, guint32 stream,
                              WireBuffer *output);

G_END_DECLS
