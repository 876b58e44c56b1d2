/* SPDX-License-Identifier: MIT */
#include "process.h"

#include "fd.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define WORDS_MAX 64

/* Field 22 of proc_pid_stat(5). Field 2, the program's name in brackets, may contain any byte. */
guint64 berth_process_started(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
    g_autofree char *text = NULL;
    guint64 started = 0;
    if (!g_file_get_contents(path, &text, NULL, NULL))
        return 0;
    const char *rest = strrchr(text, ')');
    if (rest == NULL || sscanf(rest + 1,
                               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
                               "%*d %*d %*d %" G_GUINT64_FORMAT,
                               &started) != 1)
        return 0;
    return started;
}

char *berth_process_name(const char *process)
{
    g_autofree char *path = g_build_filename(process, "comm", NULL);
    char *name = NULL;
    if (!g_file_get_contents(path, &name, NULL, NULL))
        return g_strdup("a process");
    for (char *each = g_strchomp(name); *each != '\0'; each++)
        if (!g_ascii_isprint(*each))
            *each = '?';
    return name;
}

const char *berth_process_next(GDir *proc)
{
    const char *name;
    while (proc != NULL && (name = g_dir_read_name(proc)) != NULL)
        if (g_ascii_isdigit(name[0]))
            return name;
    return NULL;
}

bool berth_process_any_fd(const char *process,
                          bool (*matches)(const char *link, gconstpointer data), gconstpointer data)
{
    g_autofree char *path = g_build_filename(process, "fd", NULL);
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
    const char *name;
    while (directory != NULL && (name = g_dir_read_name(directory)) != NULL) {
        g_autofree char *link = g_build_filename(path, name, NULL);
        if (matches(link, data))
            return true;
    }
    return false;
}

char *berth_process_format(void)
{
    return g_strdup_printf("%d %" G_GUINT64_FORMAT "\n", (int)getpid(),
                           berth_process_started(getpid()));
}

int berth_process_open(const char *words, pid_t *ret_pid)
{
    int pid = 0;
    guint64 started = 0;
    if (ret_pid != NULL)
        *ret_pid = 0;
    if (sscanf(words, "%d %" G_GUINT64_FORMAT, &pid, &started) != 2 || pid <= 0 || started == 0)
        return -1;
    berth_autofd int pidfd = pidfd_open(pid, 0);
    if (pidfd < 0 || berth_process_started(pid) != started)
        return -1;
    if (ret_pid != NULL)
        *ret_pid = pid;
    return berth_fd_steal(&pidfd);
}

int berth_process_open_from(int fd, pid_t *ret_pid)
{
    char words[WORDS_MAX] = "";
    if (pread(fd, words, sizeof(words) - 1, 0) < 0)
        words[0] = '\0';
    return berth_process_open(words, ret_pid);
}

bool berth_process_begin_worker(int status_fd)
{
    static const int numbers[] = {SIGINT, SIGQUIT, SIGHUP, SIGTERM, SIGPIPE, SIGXFSZ};
    struct pollfd status = {.fd = status_fd};
    if (poll(&status, 1, 0) == 1 && (status.revents & (POLLERR | POLLNVAL)) != 0)
        return false;
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
        signal(numbers[i], SIG_IGN);
    return true;
}

void berth_process_reset_signals(void)
{
    const struct sigaction initial = {.sa_handler = SIG_DFL};
    sigset_t none;
    sigemptyset(&none);
    for (int number = 1; number < NSIG; number++)
        sigaction(number, &initial, NULL); /* fails for two, and for libc's own */
    sigprocmask(SIG_SETMASK, &none, NULL);
}
