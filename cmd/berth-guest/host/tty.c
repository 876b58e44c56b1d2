/* SPDX-License-Identifier: MIT */
#include "tty.h"

#include <sys/stat.h>
#include <unistd.h>

static struct termios saved;
static bool is_raw;

static bool is_pipe(int fd)
{
    struct stat info;
    return fstat(fd, &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode));
}

Tty tty_plan(void)
{
    Tty tty = {.fd = -1};
    for (int fd = 0; fd < 3; fd++) {
        tty.pipes[fd] = !isatty(fd);
        if (tty.fd < 0 && !tty.pipes[fd])
            tty.fd = fd;
    }
    tty.raw =
        !tty.pipes[STDIN_FILENO] && tcgetpgrp(STDIN_FILENO) == getpgrp() && !is_pipe(STDOUT_FILENO);
    return tty;
}

struct winsize tty_size(const Tty *tty)
{
    struct winsize size = {0};
    if (tty->fd < 0 || ioctl(tty->fd, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 ||
        size.ws_col == 0)
        size = (struct winsize){.ws_row = 24, .ws_col = 80};
    return size;
}

void tty_make_raw(const Tty *tty)
{
    struct termios modes;
    if (!tty->raw || tcgetpgrp(STDIN_FILENO) != getpgrp() || tcgetattr(STDIN_FILENO, &modes) < 0)
        return;
    if (!is_raw || (modes.c_lflag & ICANON) != 0)
        saved = modes;
    is_raw = true;
    cfmakeraw(&modes);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &modes);
}

void tty_restore(void)
{
    if (is_raw && tcgetpgrp(STDIN_FILENO) == getpgrp())
        tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
    is_raw = false;
}
