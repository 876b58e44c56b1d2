/* SPDX-License-Identifier: MIT
 *
 * tty — lends this process's terminal to a command elsewhere.
 *
 * Raw only where no other program may want it: not in the background, and not beside a pipe, at
 * whose other end a pager may be. A process has one terminal: the attributes to restore are a
 * global of this file.
 */
#pragma once

#include <stdbool.h>
#include <sys/ioctl.h>
#include <termios.h>

typedef struct {
    int fd;        /* the first standard stream that is a terminal, or -1 */
    bool pipes[3]; /* this standard stream is none */
    bool raw;      /* may be made raw */
} Tty;

Tty tty_plan(void);

/* 24 by 80 where it is not known. */
struct winsize tty_size(const Tty *tty);

/* Make it raw if @tty says so, until tty_restore; again after a stop. */
void tty_make_raw(const Tty *tty);
void tty_restore(void);
