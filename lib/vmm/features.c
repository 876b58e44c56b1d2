/* SPDX-License-Identifier: MIT */
#include "features.h"

#include "base/error.h"
#include "base/fd.h"
#include "qemu_child.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define QMP_FD     3
#define ANSWER_MAX (8u << 20) /* the schema of QEMU 11 is a quarter of a megabyte */

static const char questions[] = "{\"execute\": \"qmp_capabilities\"}\n"
                                "{\"execute\": \"query-migrate-capabilities\"}\n"
                                "{\"execute\": \"query-qmp-schema\"}\n"
                                "{\"execute\": \"quit\"}\n";

/* Read until QEMU closes the socket. False after the limit, or when the answer is too long. */
static bool read_answer(int fd, BerthQemuChild *child, GString *answer)
{
    const gint64 deadline = g_get_monotonic_time() + BERTH_FEATURES_LIMIT_MSEC * 1000LL;
    while (answer->len < ANSWER_MAX) {
        gint64 left = deadline - g_get_monotonic_time();
        if (left <= 0)
            return false;
        struct pollfd fds[] = {{fd, POLLIN, 0}, {child->errors, POLLIN, 0}};
        if (poll(fds, G_N_ELEMENTS(fds), (int)(left / 1000) + 1) <= 0)
            continue;
        if (fds[1].revents != 0)
            berth_qemu_child_read_errors(child);
        if (fds[0].revents == 0)
            continue;
        char block[16384];
        ssize_t size = recv(fd, block, sizeof(block), 0);
        if (size == 0 || (size < 0 && errno != EINTR))
            return true;
        if (size > 0)
            g_string_append_len(answer, block, size);
    }
    return false;
}

static bool start(const char *emulator, BerthQemuChild *child, int *ret_fd, GError **error)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        berth_error_set_errno(error, errno, "vmm.features", "socket pair");
        return false;
    }
    berth_autofd int ours = pair[0];
    berth_autofd int theirs = pair[1];
    const char *const argv[] = {emulator,   "-machine",
                                "none",     "-nodefaults",
                                "-display", "none",
                                "-chardev", "socket,id=qmp,fd=3",
                                "-mon",     "chardev=qmp,mode=control",
                                NULL};
    const int target = QMP_FD;
    if (!berth_qemu_child_spawn(child, (char **)argv, &theirs, &target, 1, error))
        return false;
    /* a QEMU that has ended already is found by read_answer() */
    send(ours, questions, strlen(questions), MSG_NOSIGNAL);
    *ret_fd = berth_fd_steal(&ours);
    return true;
}

bool berth_features_ask(const char *emulator, BerthFeatures *ret_features, GError **error)
{
    g_auto(BerthQemuChild) child = BERTH_QEMU_CHILD_INIT;
    berth_autofd int fd = -1;
    if (!start(emulator, &child, &fd, error))
        return false;

    g_autoptr(GString) answer = g_string_new(NULL);
    bool complete = read_answer(fd, &child, answer);
    berth_qemu_child_kill(&child);
    berth_qemu_child_reap(&child);
    if (complete && strstr(answer->str, "\"capability\"") != NULL) {
        *ret_features =
            (BerthFeatures){.ignore_shared = strstr(answer->str, "\"x-ignore-shared\"") != NULL,
                            .io_uring = strstr(answer->str, "\"io_uring\"") != NULL};
        return true;
    }
    g_autofree char *words = berth_qemu_child_last_message(&child);
    berth_error_set(
        error, BERTH_ERROR_FAILED, "vmm.features", "name another QEMU with emulator= in berth.conf",
        "%s does not say what it can%s%s", emulator, words[0] != '\0' ? ": " : "", words);
    return false;
}
