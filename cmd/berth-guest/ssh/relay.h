/* SPDX-License-Identifier: MIT
 *
 * relay — joins two pipes and a stream socket: a server that wants a socket as its standard input
 * talks through the pipes of a session.
 */
#pragma once

/* Copy @input to @socket and @socket to @output until the socket's peer has closed it and all its
 * bytes are written, or @output has no reader. The end of @input is passed on as a half-close. The
 * descriptors become non-blocking. 0, or -errno. */
int relay_run(int input, int output, int socket);
