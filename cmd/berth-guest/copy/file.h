/* SPDX-License-Identifier: MIT
 *
 * file — reads a part of one file, or writes a whole one, for the host: this program again, as the
 * user of a session, so that the distro needs no tools.
 *
 *   read OFFSET LIMIT PATH   writes the file's size in bytes, a newline, and up to LIMIT bytes from
 *                            OFFSET to standard output
 *   write SIZE PATH          replaces PATH with the SIZE bytes of standard input, at once: a reader
 *                            sees the old file or the new one. Keeps mode and owner. With fewer
 *                            bytes, or a signal, PATH stays as it is and nothing is left
 *
 * A failure is a line "STEP ERRNO" on standard error, with the steps of FILE_STEP_*.
 */
#pragma once

#define FILE_STEP_OPEN    "open"    /* the file, or its directory */
#define FILE_STEP_SPECIAL "special" /* it is a directory, device, FIFO or socket */
#define FILE_STEP_READ    "read"
#define FILE_STEP_WRITE   "write" /* the new file, up to its name */
#define FILE_STEP_INPUT   "input" /* it ended before SIZE bytes */

/* Run with the words after WIRE_GUEST_FILE. Returns the exit status: 0, 1 or, for wrong words, 2.
 */
int file_main(char **argv);
