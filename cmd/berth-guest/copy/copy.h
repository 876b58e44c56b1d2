/* SPDX-License-Identifier: MIT
 *
 * copy — the guest's end of `berth cp`: a process of its own, of the session's user, that sends or
 * receives files as a stream (lib/transfer/stream.h) on its standard streams.
 *
 *     send [-r] -- PATH...      writes the stream, with reports in it
 *     receive [-d] -- PATH      reads the stream and writes reports; -d: PATH must be a directory
 *
 * Paths start in the working directory; "~" is that, too, since a session starts at home. A signal
 * ends a receiver as the end of its input does, so that no half-written file is left.
 */
#pragma once

/* @argv is NULL-terminated and begins with the verb. Returns the exit status: 0 when the stream is
 * complete, whatever it reports; 1 when it is not; 2 for other arguments. */
int copy_main(char **argv);
