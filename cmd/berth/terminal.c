/* SPDX-License-Identifier: MIT */
#include "terminal.h"

#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

static const int forwarded_signals[] = {SIGINT,  SIGTERM, SIGHUP,   SIGQUIT,
                                        SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT};
static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};

static struct termios saved;
static volatile sig_atomic_t raw;

static int terminal_fd = -1; /* the standard descriptor that is a terminal */

static bool is_same(int fd, const struct stat *terminal)
{
    struct stat info;
    return isatty(fd) && fstat(fd, &info) == 0 && info.st_rdev == terminal->st_rdev;
}

/* Whether @fd is a pipe, whose other end may be a program that uses the same terminal (a pager). */
static bool is_pipe(int fd)
{
    struct stat info;
    return fstat(fd, &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode));
}

static void plan_like_ours(TerminalPlan *plan)
{
    struct stat terminal;
    if (plan->fd < 0 || fstat(plan->fd, &terminal) != 0)
        return;
    plan->tty = true;
    for (int fd = 0; fd < 3; fd++)
        plan->pipes[fd] = !is_same(fd, &terminal);
    plan->raw = !plan->pipes[STDIN_FILENO] && tcgetpgrp(STDIN_FILENO) == getpgrp() &&
                !is_pipe(STDOUT_FILENO);
}

void terminal_plan(TerminalMode mode, TerminalPlan *ret_plan)
{
    *ret_plan = (TerminalPlan){.fd = -1};
    for (int fd = 0; fd < 3 && ret_plan->fd < 0; fd++)
        if (isatty(fd))
            ret_plan->fd = fd;
    terminal_fd = ret_plan->fd;
    if (mode == TERMINAL_LIKE_OURS)
        plan_like_ours(ret_plan);
    if (mode == TERMINAL_ALWAYS)
        ret_plan->tty = ret_plan->raw = true;
}

void terminal_print(const char *before, const char *text)
{
    fprintf(stderr, "%s", before);
    for (; *text != '\0'; text++) /* guest output is untrusted: replace control codes */
        fputc(g_ascii_iscntrl(*text) ? '?' : *text, stderr);
    fprintf(stderr, raw ? "\r\n" : "\n");
}

/* Whether another process group owns the terminal, so that changing it would stop us (SIGTTOU).
 * tcgetpgrp fails if it is not our controlling terminal, which has no background. */
static bool in_background(void)
{
    pid_t group = tcgetpgrp(STDIN_FILENO);
    return group > 0 && group != getpgrp();
}

void terminal_restore(void)
{
    if (raw && !in_background())
        tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
    raw = 0;
}

/* tcsetattr is async-signal-safe. SA_RESETHAND has removed this handler, so that raising the signal
 * again ends the process. */
static void on_fatal(int number)
{
    terminal_restore();
    raise(number);
}

/* Restore the terminal, which not every shell does, then stop as by default; after SIGCONT make it
 * raw again. If the kernel discards the stop (an orphaned process group), simply continue. */
static void on_stop(int number)
{
    int errnum = errno;
    if (raw && !in_background())
        tcsetattr(STDIN_FILENO, TCSANOW, &saved);
    struct sigaction handler;
    sigset_t stop, before;
    sigemptyset(&stop);
    sigaddset(&stop, number);
    sigaction(number, &(const struct sigaction){.sa_handler = SIG_DFL}, &handler);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &stop, &before); /* delivered here */
    sigprocmask(SIG_SETMASK, &before, NULL);
    sigaction(number, &handler, NULL);
    terminal_resume(NULL);
    errno = errnum;
}

static void handle_stop(void)
{
    struct sigaction action;
    sigaction(SIGTSTP, NULL, &action);
    if (action.sa_handler == SIG_IGN)
        return;
    action = (struct sigaction){.sa_handler = on_stop, .sa_flags = SA_RESTART};
    sigaction(SIGTSTP, &action, NULL);
}

static void install_handlers(void)
{
    static bool installed;
    if (installed)
        return;
    installed = true;

    atexit(terminal_restore);
    handle_stop();
    const struct sigaction action = {.sa_handler = on_fatal, .sa_flags = (int)SA_RESETHAND};
    for (gsize i = 0; i < G_N_ELEMENTS(fatal_signals); i++)
        sigaction(fatal_signals[i], &action, NULL);
}

/* Make the terminal raw, saving its attributes first unless they are our own raw ones. */
static void set_raw(void)
{
    struct termios attributes;
    if (tcgetattr(STDIN_FILENO, &attributes) != 0)
        return;
    if (!raw || (attributes.c_lflag & ICANON) != 0)
        saved = attributes;
    install_handlers();
    cfmakeraw(&attributes);
    raw = 1;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &attributes);
}

void terminal_make_raw(void)
{
    set_raw();
}

void terminal_resume(gpointer unused)
{
    if (raw && !in_background())
        set_raw();
}

void terminal_get_size(guint *ret_rows, guint *ret_columns, gpointer unused)
{
    struct winsize size = {0};
    ioctl(terminal_fd, TIOCGWINSZ, &size);
    *ret_rows = size.ws_row != 0 ? size.ws_row : 24;
    *ret_columns = size.ws_col != 0 ? size.ws_col : 80;
}

int terminal_open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    for (gsize i = 0; i < G_N_ELEMENTS(forwarded_signals); i++)
        if (!stop_is_ignored(forwarded_signals[i]))
            sigaddset(&set, forwarded_signals[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN); /* report EPIPE to the command when our reader is gone */
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}
