/* SPDX-License-Identifier: MIT */
#include "probe.h"

#include "base/error.h"
#include "base/fd.h"
#include "guest_ends.h"
#include "qemu_child.h"
#include "qemu_args.h"
#include "tsc.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* Of a channel. */
#define LISTENING 0  /* a stream socket without a client */
#define MEMORY    -1 /* no channel, but the guest's memory */

/* The descriptors QEMU inherits, and their socket types. */
static const struct {
    int target;
    int type;
} channels[] = {
    {BERTH_QEMU_FD_CONSOLE, SOCK_STREAM}, {BERTH_QEMU_FD_QMP, SOCK_STREAM},
    {BERTH_QEMU_FD_AGENT, SOCK_STREAM},   {BERTH_QEMU_FD_NET, SOCK_DGRAM},
    {BERTH_QEMU_FD_SHARE, LISTENING},     {BERTH_QEMU_FD_MEMORY, MEMORY},
};
#define CHANNELS G_N_ELEMENTS(channels)

/* Our ends of the channels; only the console carries data. */
typedef struct {
    int fds[CHANNELS];
} Ends;

static void close_ends(Ends *ends)
{
    for (gsize i = 0; i < CHANNELS; i++)
        berth_fd_close(&ends->fds[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Ends, close_ends)

void berth_probe_clear(BerthProbe *probe)
{
    g_clear_pointer(&probe->reason, g_free);
}

static int make_channel(int type, int *ret_ours, int *ret_theirs)
{
    int pair[2] = {-1, -1};
    int result = 0;
    if (type == LISTENING)
        result = pair[1] = berth_fd_listen(NULL);
    else if (type == MEMORY)
        result = pair[1] = berth_guest_ends_memory();
    else
        result = berth_fd_socketpair(type, pair);
    *ret_ours = pair[0];
    *ret_theirs = pair[1];
    return result;
}

static bool make_channels(Ends *ours, Ends *theirs, GError **error)
{
    for (gsize i = 0; i < CHANNELS; i++)
        ours->fds[i] = theirs->fds[i] = -1;
    for (gsize i = 0; i < CHANNELS; i++) {
        if (make_channel(channels[i].type, &ours->fds[i], &theirs->fds[i]) < 0) {
            berth_error_set_errno(error, errno, "vmm.probe", "socket pair");
            return false;
        }
    }
    return true;
}

/* Console output, searched for the marker. */
typedef struct {
    int fd;
    GString *tail;   /* possible beginning of the marker */
    bool has_output; /* the guest has written something */
} Console;

/* Read once. False when nothing is available or at EOF. */
static bool read_console(Console *console)
{
    char bytes[1024];
    ssize_t size = recv(console->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (size <= 0)
        return false;
    g_string_append_len(console->tail, bytes, size);
    console->has_output = true;
    return true;
}

/* Whether the marker has arrived; drops what cannot be its beginning. */
static bool find_marker(GString *tail)
{
    const gsize length = strlen(BERTH_QEMU_PROBE_MARKER);
    bool found = memmem(tail->str, tail->len, BERTH_QEMU_PROBE_MARKER, length) != NULL;
    if (tail->len >= length)
        g_string_erase(tail, 0, (gssize)(tail->len - length + 1));
    return found;
}

typedef enum { END_MARKER, END_EXIT, END_LATE } End;

/* Wait until the probe prints the marker, exits or times out. */
static End watch_child(BerthQemuChild *child, Console *console, guint limit_msec)
{
    const gint64 deadline = g_get_monotonic_time() + (gint64)limit_msec * 1000;
    for (;;) {
        gint64 left = deadline - g_get_monotonic_time();
        if (left <= 0)
            return END_LATE;

        struct pollfd fds[] = {
            {console->fd, POLLIN, 0}, {child->errors, POLLIN, 0}, {child->pidfd, POLLIN, 0}};
        if (poll(fds, G_N_ELEMENTS(fds), (int)(left / 1000) + 1) < 0)
            continue;
        bool ended = fds[2].revents != 0; /* then the rest of its output is available already */
        bool more = fds[0].revents != 0 && read_console(console);
        if (more && find_marker(console->tail))
            return END_MARKER;
        if (!more && ended)
            return END_EXIT;
        if (!more && fds[0].revents != 0)
            console->fd = -1;
        if (fds[1].revents != 0)
            berth_qemu_child_read_errors(child);
    }
}

/* Classify the exit of a QEMU that was not killed by us. */
static void classify_exit(BerthQemuChild *child, int status, bool guest_started, BerthProbe *probe)
{
    g_autofree char *words = berth_qemu_child_last_message(child);
    bool refused = WIFEXITED(status) && WEXITSTATUS(status) != 0 && !guest_started;
    probe->kind = refused ? BERTH_PROBE_REFUSED : BERTH_PROBE_FAILED;
    if (words[0] != '\0')
        probe->reason = g_strdup_printf("QEMU stopped: %s", words);
    else if (WIFSIGNALED(status))
        probe->reason = g_strdup_printf("QEMU was killed by signal %d", WTERMSIG(status));
    else if (refused)
        probe->reason = g_strdup_printf("QEMU stopped with status %d", WEXITSTATUS(status));
    else
        probe->reason = g_strdup("the guest stopped before it reached user space");
}

static bool run(char **argv, guint limit_msec, BerthProbe *probe, GError **error)
{
    g_auto(Ends) ours = {0};
    g_auto(Ends) theirs = {0};
    if (!make_channels(&ours, &theirs, error))
        return false;
    int targets[CHANNELS];
    for (gsize i = 0; i < CHANNELS; i++)
        targets[i] = channels[i].target;
    g_auto(BerthQemuChild) child = BERTH_QEMU_CHILD_INIT;
    if (!berth_qemu_child_spawn(&child, argv, theirs.fds, targets, CHANNELS, error))
        return false;
    close_ends(&theirs);

    g_autoptr(GString) tail = g_string_new(NULL);
    Console console = {.fd = ours.fds[0], .tail = tail};
    End end = watch_child(&child, &console, limit_msec);
    if (end != END_EXIT)
        berth_qemu_child_kill(&child);
    int status = berth_qemu_child_reap(&child);
    *probe = (BerthProbe){.kind = end == END_MARKER ? BERTH_PROBE_WORKS : BERTH_PROBE_FAILED};
    if (end == END_LATE)
        probe->reason =
            g_strdup_printf("the guest did not start within %g seconds", limit_msec / 1000.0);
    else if (end == END_EXIT)
        classify_exit(&child, status, console.has_output, probe);
    return true;
}

bool berth_probe_run(const BerthMachine *machine, guint index, BerthAccel accel, guint limit_msec,
                     BerthProbe *ret_probe, GError **error)
{
    g_autoptr(BerthMachine) variant = berth_machine_variant(machine, index, error);
    if (variant == NULL)
        return false;
    variant->accel = accel;
    if (accel == BERTH_ACCEL_TCG)
        berth_tsc_add_argument(variant);
    g_auto(GStrv) argv = berth_qemu_args_probe(variant, error);
    return argv != NULL && run(argv, limit_msec, ret_probe, error);
}

/* --- cache keys --- */

static void add_text(GChecksum *digest, const char *text)
{
    g_checksum_update(digest, (const guchar *)text, (gssize)strlen(text) + 1);
}

/* Identify a program by path, size and time, so that a rebuilt one is another. */
static void add_file(GChecksum *digest, const char *path)
{
    GStatBuf info = {0};
    if (g_stat(path, &info) < 0)
        info.st_size = -1;
    g_autofree char *text =
        g_strdup_printf("%s\n%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT
                        " %" G_GINT64_FORMAT ".%09ld",
                        path, (guint64)info.st_dev, (guint64)info.st_ino, (gint64)info.st_size,
                        (gint64)info.st_mtim.tv_sec, (long)info.st_mtim.tv_nsec);
    add_text(digest, text);
}

GChecksum *berth_probe_digest(const BerthMachine *machine, BerthAccel accel, GError **error)
{
    g_autoptr(GChecksum) digest = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree char *emulator = g_find_program_in_path(machine->emulator);
    add_file(digest, emulator != NULL ? emulator : machine->emulator);
    add_file(digest, machine->kernel);

    const guint last = berth_machine_variants(machine) - 1;
    for (guint index = 0; index <= last; index++) {
        g_autoptr(BerthMachine) variant = berth_machine_variant(machine, index, error);
        if (variant == NULL)
            return NULL;
        variant->accel = accel;
        g_auto(GStrv) argv = berth_qemu_args_probe(variant, error);
        if (argv == NULL)
            return NULL;
        for (char **word = argv; *word != NULL; word++)
            add_text(digest, *word);
    }
    return g_steal_pointer(&digest);
}

void berth_probe_forget(const char *cache_dir, const char *name)
{
    g_autofree char *directory = g_build_filename(cache_dir, name, NULL);
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    const char *entry;
    while (dir != NULL && (entry = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(directory, entry, NULL);
        g_unlink(path);
    }
}
