/* SPDX-License-Identifier: MIT */
#include "qemu_process.h"

#include "base/error.h"
#include "base/fd.h"
#include "qemu_child.h"
#include "qemu_args.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct BerthQemu {
    BerthQemuChild child;
    GSource *ended;
    GSource *errors_readable;
    BerthQemuExitFunc on_exit;
    gpointer user_data;
    char *last_words;
};

/* The files a machine needs, and the error when one is missing. */
static const struct {
    size_t offset;
    int mode;
    const char *what;
    const char *id;
    const char *hint;
} machine_files[] = {
    {offsetof(BerthMachine, kernel), R_OK, "kernel", "machine.no-kernel",
     "build it with kernel/build, or name one with kernel= in berth.conf"},
    {offsetof(BerthMachine, initramfs), R_OK, "initramfs", "machine.no-initramfs",
     "berth is not installed completely; install it again"},
    {offsetof(BerthMachine, disk), R_OK | W_OK, "disk", "machine.no-disk",
     "put the file back, or unregister the distro and import it again"},
};

static int try_file(const char *path, int mode)
{
    struct stat info;
    if (path == NULL)
        return ENOENT;
    if (stat(path, &info) < 0)
        return errno;
    if (S_ISDIR(info.st_mode))
        return EISDIR;
    return access(path, mode) < 0 ? errno : 0;
}

static bool check_file(const char *path, int mode, const char *what, const char *id,
                       const char *hint, GError **error)
{
    int errnum = try_file(path, mode);
    if (errnum == 0)
        return true;
    BerthErrorCode code = errnum == ENOENT ? BERTH_ERROR_NOT_FOUND : BERTH_ERROR_DENIED;
    g_autofree char *words = g_ascii_strdown(g_strerror(errnum), -1);
    berth_error_set(error, code, id, hint, "%s %s: %s", what, path != NULL ? path : "(none)",
                    words);
    return false;
}

static bool check_emulator(const char *emulator, GError **error)
{
    g_autofree char *path = emulator != NULL ? g_find_program_in_path(emulator) : NULL;
    if (path != NULL)
        return true;
    berth_error_set(error, BERTH_ERROR_NOT_FOUND, "machine.no-qemu", "install qemu-system-x86",
                    "%s: not found", emulator != NULL ? emulator : "emulator");
    return false;
}

bool berth_qemu_check(const BerthMachine *machine, GError **error)
{
    if (!check_emulator(machine->emulator, error))
        return false;

    for (gsize i = 0; i < G_N_ELEMENTS(machine_files); i++) {
        const char *path = G_STRUCT_MEMBER(char *, machine, machine_files[i].offset);
        if (!check_file(path, machine_files[i].mode, machine_files[i].what, machine_files[i].id,
                        machine_files[i].hint, error))
            return false;
    }
    return true;
}

static void drop_source(GSource **source)
{
    if (*source == NULL)
        return;
    g_source_destroy(*source);
    g_source_unref(*source);
    *source = NULL;
}

static gboolean on_errors_readable(int fd, GIOCondition condition, gpointer user_data)
{
    BerthQemu *qemu = user_data;
    bool more = berth_qemu_child_read_errors(&qemu->child);
    g_free(qemu->last_words);
    qemu->last_words = berth_qemu_child_last_message(&qemu->child);
    if (more)
        return G_SOURCE_CONTINUE;
    drop_source(&qemu->errors_readable);
    return G_SOURCE_REMOVE;
}

static gboolean on_ended(int fd, GIOCondition condition, gpointer user_data)
{
    BerthQemu *qemu = user_data;
    drop_source(&qemu->ended);
    drop_source(&qemu->errors_readable);
    int status = berth_qemu_child_reap(&qemu->child);
    g_free(qemu->last_words);
    qemu->last_words = berth_qemu_child_last_message(&qemu->child);
    qemu->on_exit(qemu, status, qemu->user_data); /* the callback may have freed qemu */
    return G_SOURCE_REMOVE;
}

static GSource *watch(int fd, int priority, GUnixFDSourceFunc function, gpointer user_data)
{
    GSource *source = g_unix_fd_source_new(fd, G_IO_IN);
    g_source_set_priority(source, priority);
    g_source_set_callback(source, G_SOURCE_FUNC(function), user_data, NULL);
    g_source_attach(source, g_main_context_get_thread_default());
    return source;
}

/* A pair of stream sockets; our end is non-blocking. */
static bool make_channel(int *ret_ours, int *ret_theirs, GError **error)
{
    int pair[2];
    if (berth_fd_socketpair(SOCK_STREAM, pair) < 0) {
        berth_error_set_errno(error, errno, "machine.qemu", "socket pair");
        return false;
    }
    *ret_ours = pair[0];
    *ret_theirs = pair[1];
    if (berth_fd_set_nonblocking(pair[0], true) == 0)
        return true;
    berth_error_set_errno(error, errno, "machine.qemu", "socket pair");
    return false;
}

BerthQemu *berth_qemu_spawn(const BerthMachine *machine, const BerthQemuGuest *guest,
                            BerthQemuExitFunc on_exit, gpointer user_data,
                            BerthQemuChannels *ret_channels, GError **error)
{
    if (!berth_qemu_check(machine, error))
        return NULL;
    g_auto(GStrv) argv = (guest->is_private ? berth_qemu_args_cloned
                          : guest->wakes    ? berth_qemu_args_waking
                                            : berth_qemu_args)(machine, error);
    if (argv == NULL)
        return NULL;

    berth_autofd int qmp = -1, console = -1;
    berth_autofd int their_qmp = -1, their_console = -1;
    if (!make_channel(&qmp, &their_qmp, error) || !make_channel(&console, &their_console, error))
        return NULL;

    const int sources[] = {their_qmp,     guest->agent, guest->net,
                           their_console, guest->share, guest->memory};
    const int targets[] = {BERTH_QEMU_FD_QMP,     BERTH_QEMU_FD_AGENT, BERTH_QEMU_FD_NET,
                           BERTH_QEMU_FD_CONSOLE, BERTH_QEMU_FD_SHARE, BERTH_QEMU_FD_MEMORY};
    g_autoptr(BerthQemu) qemu = g_new0(BerthQemu, 1);
    qemu->child = (BerthQemuChild)BERTH_QEMU_CHILD_INIT;
    qemu->on_exit = on_exit;
    qemu->user_data = user_data;
    qemu->last_words = g_strdup("");
    if (!berth_qemu_child_spawn(&qemu->child, argv, sources, targets, G_N_ELEMENTS(sources), error))
        return NULL;

    /* lower priority than the channels, so that their last data, above all SHUTDOWN, comes first */
    qemu->ended = watch(qemu->child.pidfd, G_PRIORITY_DEFAULT + 1, on_ended, qemu);
    qemu->errors_readable = watch(qemu->child.errors, G_PRIORITY_DEFAULT, on_errors_readable, qemu);
    ret_channels->qmp = berth_fd_steal(&qmp);
    ret_channels->console = berth_fd_steal(&console);
    return g_steal_pointer(&qemu);
}

pid_t berth_qemu_pid(const BerthQemu *qemu)
{
    return qemu->child.pid;
}

const char *berth_qemu_last_message(const BerthQemu *qemu)
{
    return qemu->last_words;
}

void berth_qemu_kill(BerthQemu *qemu)
{
    berth_qemu_child_kill(&qemu->child);
}

void berth_qemu_free(BerthQemu *qemu)
{
    if (qemu == NULL)
        return;
    drop_source(&qemu->ended);
    drop_source(&qemu->errors_readable);
    berth_qemu_child_clear(&qemu->child);
    g_free(qemu->last_words);
    g_free(qemu);
}
