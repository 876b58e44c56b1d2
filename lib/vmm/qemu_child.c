/* SPDX-License-Identifier: MIT */
#include "qemu_child.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ERRORS_TAIL_MAX 8192u
/* Of a guest whose memory is another's, and sealed; the guest only gives no memory back. The
 * function's name before it differs by version. */
#define DISCARD_FAILED ": Failed to fallocate "
#define READS_MAX      64u /* bounds the reads of one call, in case the child never stops writing */

/* The end of a session, or of the host, is for the keeper to handle: it parks the guest, for which
 * QEMU has to be there. */
static void keep_from_terminating(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM); /* QEMU has a handler for it, so it is blocked and not ignored */
    sigprocmask(SIG_BLOCK, &set, NULL);
}

/* Runs between fork and exec: async-signal-safe calls only. */
static void set_up_child(gpointer user_data)
{
    const pid_t *parent = user_data;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != *parent) /* the parent died before prctl took effect */
        _exit(127);
    berth_process_reset_signals();
    keep_from_terminating();
}

static void set_spawn_error(GError **error, const GError *problem, const char *emulator)
{
    if (g_error_matches(problem, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT))
        berth_error_set(error, BERTH_ERROR_NOT_FOUND, "machine.no-qemu", "install qemu-system-x86",
                        "%s: not found", emulator);
    else
        berth_error_set(error, BERTH_ERROR_FAILED, "machine.qemu.start", NULL, "%s: %s", emulator,
                        problem->message);
}

bool berth_qemu_child_spawn(BerthQemuChild *child, char **argv, const int *sources,
                            const int *targets, gsize count, GError **error)
{
    pid_t parent = getpid();
    GPid pid = 0;
    berth_autofd int errors = -1;
    g_autoptr(GError) problem = NULL;
    if (!g_spawn_async_with_pipes_and_fds(NULL, (const char *const *)argv, NULL,
                                          G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD |
                                              G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_CLOEXEC_PIPES,
                                          set_up_child, &parent, -1, -1, -1, sources, targets,
                                          count, &pid, NULL, NULL, &errors, &problem)) {
        set_spawn_error(error, problem, argv[0]);
        return false;
    }

    child->pid = pid;
    child->errors_tail = g_string_new(NULL);
    child->emulator = g_path_get_basename(argv[0]);
    child->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (child->pidfd < 0 || berth_fd_set_nonblocking(errors, true) < 0) {
        berth_error_set_errno(error, errno, "machine.qemu", "%s", argv[0]);
        berth_qemu_child_clear(child);
        return false;
    }
    child->errors = berth_fd_steal(&errors);
    return true;
}

bool berth_qemu_child_read_errors(BerthQemuChild *child)
{
    char bytes[1024];
    for (guint reads = 0; child->errors >= 0; reads++) {
        if (reads == READS_MAX)
            return true;
        ssize_t size = read(child->errors, bytes, sizeof(bytes));
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && errno == EAGAIN)
            return true;
        if (size <= 0) {
            berth_fd_close(&child->errors);
            break;
        }
        g_string_append_len(child->errors_tail, bytes, size);
        if (child->errors_tail->len > ERRORS_TAIL_MAX)
            g_string_erase(child->errors_tail, 0,
                           (gssize)(child->errors_tail->len - ERRORS_TAIL_MAX));
    }
    return false;
}

static const char *skip_prefix(const char *text, const char *prefix)
{
    return g_str_has_prefix(text, prefix) ? text + strlen(prefix) : text;
}

/* How informative a line is. QEMU's own errors begin with its name; hints that follow them do
 * not. */
static int rank_line(const char *line, const char *speaker)
{
    if (line[0] == '\0')
        return 0;
    if (strstr(line, "warning: ") != NULL || strstr(line, DISCARD_FAILED) != NULL)
        return 1;
    if (strstr(line, "Assertion `") != NULL || strstr(line, "assertion failed") != NULL ||
        g_str_has_prefix(line, "Bail out!"))
        return 2;
    return g_str_has_prefix(line, speaker) ? 4 : 3;
}

char *berth_qemu_child_last_message(const BerthQemuChild *child)
{
    if (child->errors_tail == NULL)
        return g_strdup("");

    g_autofree char *speaker = g_strconcat(child->emulator, ": ", NULL);
    g_autofree char *text =
        g_utf8_make_valid(child->errors_tail->str, (gssize)child->errors_tail->len);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    const char *best = "";
    for (char **line = lines; *line != NULL; line++) {
        g_strstrip(*line);
        if (rank_line(*line, speaker) >= rank_line(best, speaker))
            best = *line;
    }

    char *words = g_strdup(skip_prefix(skip_prefix(best, speaker), "error: "));
    for (char *at = words; *at != '\0'; at++) {
        if (g_ascii_iscntrl(*at))
            *at = ' ';
    }
    return words;
}

void berth_qemu_child_kill(BerthQemuChild *child)
{
    if (child->pid > 0)
        kill(child->pid, SIGKILL);
}

int berth_qemu_child_reap(BerthQemuChild *child)
{
    int status = 0;
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        ;
    child->pid = 0;
    berth_qemu_child_read_errors(child);
    return status;
}

void berth_qemu_child_clear(BerthQemuChild *child)
{
    if (child->pid > 0) {
        berth_qemu_child_kill(child);
        berth_qemu_child_reap(child);
    }
    berth_fd_close(&child->pidfd);
    berth_fd_close(&child->errors);
    if (child->errors_tail != NULL)
        g_string_free(g_steal_pointer(&child->errors_tail), TRUE);
    g_clear_pointer(&child->emulator, g_free);
}
