/* SPDX-License-Identifier: MIT */
#include "mount_guest.h"

#include "reach.h"
#include "start.h"

#include "base/error.h"
#include "base/fd.h"
#include "instance/client/session_client.h"
#include "wire/mount.h"
#include "wire/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIPE_SIZE    (1 << 20)
#define STATUS_USAGE 2 /* of an agent that does not know WIRE_GUEST_MOUNT */
/* After a start that failed: a file manager tries again at once. */
#define PAUSE_USEC (5 * G_USEC_PER_SEC)

struct BerthMountGuestEnd {
    Berth *berth;
    BerthDistro *distro;
    const char *user;
    bool start;
    gint64 failed; /* when the last start did, or 0 */
    int connection;
    int to_guest, from_guest;  /* ours */
    int input, output, errors; /* the session's */
    GThread *thread;           /* NULL: there is no session */
    int status;
    GError *error;
};

BerthMountGuestEnd *berth_mount_guest_new(Berth *berth, const char *id, const char *user,
                                          bool start, GError **error)
{
    BerthRegistry *registry = berth_handle_registry(berth, error);
    BerthDistro *distro = registry != NULL ? berth_registry_find_by_id(registry, id, error) : NULL;
    if (distro == NULL)
        return NULL;
    BerthMountGuestEnd *end = g_new0(BerthMountGuestEnd, 1);
    *end = (BerthMountGuestEnd){.berth = berth,
                                .distro = distro,
                                .user = user,
                                .start = start,
                                .connection = -1,
                                .to_guest = -1,
                                .from_guest = -1,
                                .input = -1,
                                .output = -1,
                                .errors = -1};
    return end;
}

const char *berth_mount_guest_name(const BerthMountGuestEnd *end)
{
    return end->distro->name;
}

/* ---- the session ---- */

static gpointer run_session(gpointer data)
{
    BerthMountGuestEnd *end = data;
    g_autofree char *uid = g_strdup_printf("%u", getuid());
    g_autofree char *gid = g_strdup_printf("%u", getgid());
    const char *const argv[] = {WIRE_GUEST_PROGRAM, WIRE_GUEST_MOUNT, uid, gid, NULL};
    const BerthCommand command = {
        .argv = argv,
        .user = end->user,
        .cwd = "/",
        .bare = true,
        .input = end->input,
        .output = end->output,
        .errors = end->errors,
        .terminal = -1,
    };
    end->status = berth_session_client_run(end->connection, &command, &end->error);
    berth_fd_close(&end->input);
    berth_fd_close(&end->output);
    return NULL;
}

/* The ends are -1 on failure. */
static bool make_pipe(int *ret_read, int *ret_write, GError **error)
{
    int pair[2];
    if (pipe2(pair, O_CLOEXEC) < 0) {
        berth_error_set_errno(error, errno, "mount", "pipe");
        return false;
    }
    fcntl(pair[1], F_SETPIPE_SZ, PIPE_SIZE); /* more than 64 KiB where it may be */
    *ret_read = pair[0];
    *ret_write = pair[1];
    return true;
}

static bool start_session(BerthMountGuestEnd *end, GError **error)
{
    if (!make_pipe(&end->input, &end->to_guest, error) ||
        !make_pipe(&end->from_guest, &end->output, error))
        return false;
    end->errors = open("/dev/null", O_WRONLY | O_CLOEXEC);
    berth_fd_set_nonblocking(end->output, true); /* the session may then write more at once */
    end->thread = g_thread_new("session", run_session, end);
    return true;
}

static void end_session(BerthMountGuestEnd *end)
{
    if (end->connection >= 0)
        shutdown(end->connection, SHUT_RDWR); /* the keeper hangs the session up */
    berth_fd_close(&end->to_guest);
    berth_fd_close(&end->from_guest);
    if (end->thread != NULL)
        g_thread_join(g_steal_pointer(&end->thread));
    berth_fd_close(&end->connection);
    berth_fd_close(&end->input);
    berth_fd_close(&end->output);
    berth_fd_close(&end->errors);
}

static bool read_hello(const BerthMountGuestEnd *end)
{
    struct fuse_out_header hello;
    gsize done = 0;
    while (done < sizeof(hello)) {
        ssize_t got = read(end->from_guest, (guint8 *)&hello + done, sizeof(hello) - done);
        if (got == 0 || (got < 0 && errno != EINTR))
            return false;
        done += (gsize)MAX(got, 0);
    }
    return hello.len == sizeof(hello) && hello.unique == WIRE_MOUNT_HELLO &&
           hello.error == -WIRE_MOUNT_VERSION;
}

static void set_old_guest(const BerthMountGuestEnd *end, GError **error)
{
    g_autofree char *hint =
        g_strdup_printf("restart it: \"berth terminate %s\", then try again", end->distro->name);
    berth_error_set(error, BERTH_ERROR_PROTOCOL, "mount.old-guest", hint,
                    "%s was started by another version of berth", end->distro->name);
}

/* Why the session has not said hello; it is ended. */
static bool set_ended(BerthMountGuestEnd *end, GError **error)
{
    bool ended = end->thread != NULL;
    end_session(end);
    if (end->error != NULL)
        g_propagate_error(error, g_steal_pointer(&end->error));
    else if (ended && (end->status == STATUS_USAGE || end->status < 0))
        set_old_guest(end, error);
    else
        berth_error_set(error, BERTH_ERROR_GUEST, "mount.guest", NULL,
                        "%s does not serve its files: status %d", end->distro->name, end->status);
    return false;
}

/* ---- the distro ---- */

/* Its row as of now: it may have been renamed or moved. */
static bool refresh(BerthMountGuestEnd *end, GError **error)
{
    BerthRegistry *registry = berth_handle_registry(end->berth, error);
    BerthDistro *distro =
        registry != NULL ? berth_registry_find_by_id(registry, end->distro->id, error) : NULL;
    if (distro == NULL)
        return false;
    berth_distro_free(end->distro);
    end->distro = distro;
    return true;
}

static int reach(BerthMountGuestEnd *end, GError **error)
{
    const BerthStartOptions plain = {0};
    g_autofree char *notice = NULL;
    if (!end->start)
        return berth_reach_connect(end->berth, end->distro, error);
    int fd = berth_start_connect(end->berth, end->distro->name, &plain, &notice, error);
    end->failed = fd < 0 ? g_get_monotonic_time() : 0;
    return fd;
}

bool berth_mount_guest_prepare(BerthMountGuestEnd *end, GError **error)
{
    if (!refresh(end, error) || (end->connection = reach(end, error)) < 0)
        return false;
    if (!start_session(end, error)) {
        end_session(end);
        return false;
    }
    return read_hello(end) || set_ended(end, error);
}

bool berth_mount_guest_connect(gpointer data, int *ret_to_guest, int *ret_from_guest)
{
    BerthMountGuestEnd *end = data;
    bool paused = end->failed != 0 && g_get_monotonic_time() - end->failed < PAUSE_USEC;
    if (end->thread == NULL && (paused || !berth_mount_guest_prepare(end, NULL)))
        return false;
    *ret_to_guest = end->to_guest;
    *ret_from_guest = end->from_guest;
    return true;
}

void berth_mount_guest_disconnect(gpointer data)
{
    BerthMountGuestEnd *end = data;
    end_session(end);
    g_clear_error(&end->error);
}
