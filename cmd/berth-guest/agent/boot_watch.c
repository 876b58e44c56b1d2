/* SPDX-License-Identifier: MIT */
#include "boot_watch.h"

#include "os/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct BootWatch {
    Loop *loop;
    InitKind init;
    Source handover;
    Source notify;
    Source answer; /* output of systemctl is-system-running */
    const BootWatchEvents *events;
    void *data;
    char status[32]; /* "" until booted */
};

static void booted(BootWatch *watch, const char *status)
{
    snprintf(watch->status, sizeof(watch->status), "%s", status);
    watch->events->booted(watch->data, watch->status);
}

static void on_handover(Source *source, uint32_t events)
{
    BootWatch *watch = container_of(source, BootWatch, handover);
    char problem[256];
    ssize_t size = read(source->fd, problem, sizeof(problem) - 1);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    loop_close(watch->loop, source);
    problem[size > 0 ? size : 0] = '\0';
    if (problem[0] != '\0')
        watch->init = INIT_BERTH;
    watch->events->stage(watch->data, "init", problem);
    if (watch->init != INIT_SYSTEMD)
        booted(watch, problem[0] != '\0' ? "degraded" : "running");
}

/* Read systemctl's state; without an answer it counts as running. */
static void on_answer(Source *source, uint32_t events)
{
    BootWatch *watch = container_of(source, BootWatch, answer);
    char answer[32];
    ssize_t size = read(source->fd, answer, sizeof(answer) - 1);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    loop_close(watch->loop, source);
    answer[size > 0 ? size : 0] = '\0';
    answer[strcspn(answer, "\n")] = '\0';
    booted(watch, answer[0] != '\0' ? answer : "running");
}

__attribute__((noreturn)) static void run_systemctl(int output)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(output, STDOUT_FILENO);
    setenv("PATH", "/usr/bin:/bin", 1);
    execlp("systemctl", "systemctl", "is-system-running", "--wait", (char *)NULL);
    _exit(127);
}

static void query_systemd(BootWatch *watch)
{
    int pair[2];
    if (pipe2(pair, O_CLOEXEC) < 0) {
        booted(watch, "running");
        return;
    }
    pid_t pid = fork();
    if (pid == 0)
        run_systemctl(pair[1]);
    close(pair[1]);
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    loop_add(watch->loop, &watch->answer, pair[0], EPOLLIN, on_answer);
}

/* Datagrams of "NAME=value" lines; systemd sends READY=1 once its start-up job queue is empty. */
static void on_notify(Source *source, uint32_t events)
{
    BootWatch *watch = container_of(source, BootWatch, notify);
    char message[4096];
    ssize_t size;
    while ((size = recv(source->fd, message, sizeof(message) - 1, MSG_DONTWAIT)) > 0) {
        message[size] = '\0';
        if (strncmp(message, "READY=1", 7) != 0 && strstr(message, "\nREADY=1") == NULL)
            continue;
        loop_close(watch->loop, source);
        query_systemd(watch);
        return;
    }
}

BootWatch *boot_watch_new(Loop *loop, InitKind init, int handover, int notify,
                          const BootWatchEvents *events, void *data)
{
    BootWatch *watch = calloc(1, sizeof(*watch));
    if (watch == NULL)
        return NULL;
    watch->loop = loop;
    watch->init = init;
    watch->events = events;
    watch->data = data;
    if (handover >= 0) {
        fcntl(handover, F_SETFL, O_NONBLOCK);
        loop_add(loop, &watch->handover, handover, EPOLLIN, on_handover);
    } else {
        strcpy(watch->status, "running");
    }
    if (notify >= 0)
        loop_add(loop, &watch->notify, notify, EPOLLIN, on_notify);
    return watch;
}

void boot_watch_free(BootWatch *watch)
{
    if (watch == NULL)
        return;
    loop_close(watch->loop, &watch->handover);
    loop_close(watch->loop, &watch->notify);
    loop_close(watch->loop, &watch->answer);
    free(watch);
}

InitKind boot_watch_init(const BootWatch *watch)
{
    return watch->init;
}

const char *boot_watch_status(const BootWatch *watch)
{
    return watch->status[0] != '\0' ? watch->status : NULL;
}
