/* SPDX-License-Identifier: MIT */
#include "share_process.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "instance/control/runtime_files.h"
#include "model/share.h"
#include "sparse_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* cmd/berth-share/main.c */
#define WATCH     "--watch"
#define PORT_FD   3
#define REPORT_FD 4
#define LEDGER_FD 5

/* Give berth-share up after ENDS_MAX ends within WINDOW_USEC. */
#define ENDS_MAX    5u
#define WINDOW_USEC (10 * G_USEC_PER_SEC)

/* Of a ledger that is kept for another keeper: bytes with data, and all. A larger one is not kept:
 * the guest's open files of the shares are stale then. */
#define LEDGER_DATA_MAX (48u << 20)
#define LEDGER_SIZE_MAX (4ull << 30)

/* Of a report: a path, and why it is not served. */
#define REPORT_MAX 8192u

struct BerthShareProcess {
    const BerthMachine *machine;
    char *program;
    int program_fd; /* berth-share's file as of the first start, whatever an upgrade does; or -1 */
    int listen_fd;
    int socket_fd; /* the listening socket's file (O_PATH), which has no name any more */
    const BerthShareProcessEvents *events;
    gpointer user_data;
    GPid pid; /* of the running one, or 0 */
    GSource *child;
    GPtrArray *skipped; /* lines about shares that the last one does not serve */
    GPtrArray *targets; /* of all shares that the guest's kernel may have cached */
    guint32 uid, gid;
    int ledger_fd; /* what one server leaves to the next, or -1 */
    /* Of the running one. */
    int report_fd; /* a pipe that it writes to, or -1 */
    GSource *reports;
    GString *report; /* begun, but without its NUL yet */
    bool begun;      /* the guest has seen the connection */
    bool ready;
    bool changed;                /* of one that watches */
    bool is_outdated;            /* to be replaced once it has begun */
    bool is_suspended;           /* as the guest is: none serves */
    bool is_owed;                /* the guest waits for one, to be started at the wake */
    gint64 ended_usec[ENDS_MAX]; /* ring of the last ends, monotonic */
    guint ends;
};

BerthShareProcess *berth_share_process_new(const BerthMachine *machine, const char *dir,
                                           const char *support_dir,
                                           const BerthShareProcessEvents *events,
                                           gpointer user_data, GError **error)
{
    g_autoptr(BerthShareProcess) shares = g_new0(BerthShareProcess, 1);
    shares->machine = machine;
    shares->report_fd = shares->ledger_fd = -1;
    shares->report = g_string_new(NULL);
    shares->skipped = g_ptr_array_new_with_free_func(g_free);
    shares->targets = g_ptr_array_new_with_free_func(g_free);
    shares->program = g_build_filename(support_dir, "berth-share", NULL);
    shares->program_fd = open(shares->program, O_PATH | O_CLOEXEC);
    shares->events = events;
    shares->user_data = user_data;
    g_autofree char *path = g_build_filename(dir, BERTH_RUNTIME_SHARE, NULL);
    shares->listen_fd = berth_fd_listen(path);
    shares->socket_fd = shares->listen_fd < 0 ? -1 : open(path, O_PATH | O_CLOEXEC);
    /* QEMU unlinks the path of a listening socket when it ends. Without one no other process
     * connects.
     */
    if (shares->socket_fd >= 0 && unlink(path) == 0)
        return g_steal_pointer(&shares);
    berth_error_set_errno(error, errno, "instance.start", "%s", path);
    return NULL;
}

static void forget_child(BerthShareProcess *shares)
{
    if (shares->child != NULL)
        g_source_destroy(shares->child);
    g_clear_pointer(&shares->child, g_source_unref);
    if (shares->reports != NULL)
        g_source_destroy(shares->reports);
    g_clear_pointer(&shares->reports, g_source_unref);
    shares->pid = 0;
    shares->begun = shares->ready = shares->changed = shares->is_outdated = false;
    g_string_truncate(shares->report, 0);
    berth_fd_close(&shares->report_fd);
}

/* End the running one. */
static void end_child(BerthShareProcess *shares)
{
    GPid pid = shares->pid;
    if (pid == 0)
        return;
    forget_child(shares);
    kill(pid, SIGKILL); /* it has no unwritten data */
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

void berth_share_process_stop(BerthShareProcess *shares)
{
    end_child(shares);
    shares->is_suspended = shares->is_owed = false;
    berth_fd_close(&shares->ledger_fd); /* the next guest has nothing of it */
}

void berth_share_process_free(BerthShareProcess *shares)
{
    if (shares == NULL)
        return;
    berth_share_process_stop(shares);
    berth_fd_close(&shares->listen_fd);
    berth_fd_close(&shares->socket_fd);
    berth_fd_close(&shares->program_fd);
    g_ptr_array_unref(shares->targets);
    g_ptr_array_unref(shares->skipped);
    g_string_free(shares->report, TRUE);
    g_free(shares->program);
    g_free(shares);
}

int berth_share_process_guest_fd(const BerthShareProcess *shares)
{
    return shares->listen_fd;
}

/* Only its start can skip a share: later the guest may have a part in what it writes. */
static void handle_report(BerthShareProcess *shares, const char *text)
{
    if (g_str_equal(text, SHARE_REPORT_BEGUN))
        shares->begun = true;
    else if (g_str_equal(text, SHARE_REPORT_READY))
        shares->ready = shares->begun;
    else if (g_str_equal(text, SHARE_REPORT_CHANGED))
        shares->changed = shares->is_suspended;
    else if (!shares->begun && g_str_has_prefix(text, SHARE_REPORT_SKIPPED))
        g_ptr_array_add(shares->skipped,
                        berth_text_clean(text + strlen(SHARE_REPORT_SKIPPED), REPORT_MAX));
}

/* Read the reports so far. False: it has closed the pipe. */
static bool read_reports(BerthShareProcess *shares)
{
    char bytes[1024];
    ssize_t size = 0;
    while (shares->report_fd >= 0 && (size = read(shares->report_fd, bytes, sizeof(bytes))) > 0) {
        for (ssize_t i = 0; i < size; i++) {
            if (bytes[i] != '\0') {
                if (shares->report->len < REPORT_MAX)
                    g_string_append_c(shares->report, bytes[i]);
                continue;
            }
            handle_report(shares, shares->report->str);
            g_string_truncate(shares->report, 0);
        }
    }
    return size < 0;
}

/* Whether the guest has seen the connection of the running berth-share. If so it sees its end too,
 * and requests another. */
static bool has_begun(BerthShareProcess *shares)
{
    read_reports(shares);
    return shares->begun;
}

static void launch(BerthShareProcess *shares);

/* A berth-share that watched for changes has ended. */
static void end_watch(BerthShareProcess *shares, gint wait_status)
{
    read_reports(shares);
    bool changed = shares->changed;
    forget_child(shares);
    if (changed)
        shares->events->changed(shares->user_data);
    else if (!WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != 0)
        shares->events->log("files of this host that it watches will not wake it: berth-share "
                            "ended",
                            shares->user_data);
}

static void on_child_exit(GPid pid, gint wait_status, gpointer user_data)
{
    BerthShareProcess *shares = user_data;
    if (shares->is_suspended) {
        end_watch(shares, wait_status);
        return;
    }
    bool begun = has_begun(shares);
    forget_child(shares);
    gint64 *oldest = &shares->ended_usec[shares->ends++ % ENDS_MAX];
    bool often = shares->ends > ENDS_MAX && g_get_monotonic_time() - *oldest < WINDOW_USEC;
    *oldest = g_get_monotonic_time();
    bool refused = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) != 0;
    if (!often && !refused) {
        shares->events->log("berth-share ended", shares->user_data);
        if (!begun)
            launch(shares);
        return;
    }
    g_autoptr(GError) error = NULL;
    if (refused)
        berth_error_set(&error, BERTH_ERROR_FAILED, "share.start", NULL,
                        "berth-share could not start: the shares end");
    else
        berth_error_set(&error, BERTH_ERROR_FAILED, "share.ended", NULL,
                        "berth-share ended %u times in %u seconds", ENDS_MAX + 1,
                        (guint)(WINDOW_USEC / G_USEC_PER_SEC));
    shares->events->failed(error, shares->user_data);
}

/* A connection to QEMU. */
static int connect_to_guest(const BerthShareProcess *shares)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    g_snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", shares->socket_fd);
    berth_autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return -1;
    return berth_fd_steal(&fd);
}

/* As berth-share's arguments have it. */
static char *mode_of(const BerthShare *share)
{
    g_autofree char *limit = g_strdup_printf("limit=%" G_GUINT64_FORMAT ":", share->quota);
    if (share->overlay != NULL)
        return g_strconcat(share->quota > 0 ? limit : "", "cow=", share->overlay, NULL);
    if (share->count != NULL)
        return g_strconcat(limit, "count=", share->count, NULL);
    return g_strdup(share->read_only ? "ro" : "rw");
}

/* The first word is the file, the second its name in ps. */
static GStrv arguments(BerthShareProcess *shares, const char *program)
{
    g_autoptr(GHashTable) present = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GStrvBuilder) words = g_strv_builder_new();
    g_autofree char *uid_text = g_strdup_printf("%u", shares->uid);
    g_autofree char *gid_text = g_strdup_printf("%u", shares->gid);
    g_strv_builder_add_many(words, program, "berth-share", NULL);
    if (shares->is_suspended)
        g_strv_builder_add(words, WATCH);
    g_strv_builder_add_many(words, shares->machine->id, uid_text, gid_text, NULL);
    for (char **text = shares->machine->shares; *text != NULL; text++) {
        g_autoptr(BerthShare) share = berth_share_from_text(*text);
        if (share == NULL)
            continue;
        g_autofree char *mode = mode_of(share);
        g_strv_builder_add_many(words, mode, share->source, share->target, NULL);
        g_hash_table_add(present, g_strdup(share->target));
        if (!g_ptr_array_find_with_equal_func(shares->targets, share->target, g_str_equal, NULL))
            g_ptr_array_add(shares->targets, g_strdup(share->target));
    }
    for (guint i = 0; i < shares->targets->len; i++)
        if (!g_hash_table_contains(present, shares->targets->pdata[i]))
            g_strv_builder_add_many(words, "was", "-", shares->targets->pdata[i], NULL);
    return g_strv_builder_end(words);
}

static gboolean on_report(gint fd, GIOCondition condition, gpointer user_data)
{
    BerthShareProcess *shares = user_data;
    bool was_begun = shares->begun, was_ready = shares->ready;
    bool open = read_reports(shares);
    if (shares->is_suspended)
        return open; /* end_watch reads the rest */
    if (shares->begun && shares->is_outdated) {
        end_child(shares);
        shares->events->begun(shares->user_data);
        return G_SOURCE_REMOVE;
    }
    if (shares->begun && !was_begun) {
        for (guint i = 0; i < shares->skipped->len; i++)
            shares->events->skipped(shares->skipped->pdata[i], shares->user_data);
        shares->events->begun(shares->user_data);
    }
    if (shares->ready && !was_ready)
        shares->events->ready(shares->user_data);
    return open; /* or it has ended: on_child_exit starts another */
}

void berth_share_process_replace(BerthShareProcess *shares)
{
    if (has_begun(shares))
        end_child(shares);
    else
        shares->is_outdated = shares->pid != 0 && !shares->is_suspended;
}

guint64 berth_share_process_requests(const BerthShareProcess *shares)
{
    guint64 requests = 0;
    ssize_t size = shares->ledger_fd < 0
                       ? -1
                       : pread(shares->ledger_fd, &requests, sizeof(requests), SHARE_REQUESTS_AT);
    return size == sizeof(requests) ? requests : 0;
}

bool berth_share_process_is_starting(const BerthShareProcess *shares)
{
    return shares->pid != 0 && !shares->begun && !shares->is_suspended;
}

bool berth_share_process_is_ready(const BerthShareProcess *shares)
{
    return shares->ready;
}

const GPtrArray *berth_share_process_skipped(const BerthShareProcess *shares)
{
    return shares->skipped;
}

static bool spawn(BerthShareProcess *shares, int port, GError **error)
{
    g_autofree char *held = shares->program_fd >= 0 ? berth_fd_path(shares->program_fd) : NULL;
    g_auto(GStrv) argv = arguments(shares, held != NULL ? held : shares->program);
    int pair[2];
    if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0) {
        berth_error_set_errno(error, errno, "share.start", "pipe");
        return false;
    }
    if (shares->ledger_fd < 0)
        shares->ledger_fd = memfd_create("berth-share", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    berth_autofd int write_end = pair[1];
    shares->report_fd = pair[0];
    shares->reports = g_unix_fd_source_new(pair[0], G_IO_IN | G_IO_HUP);
    g_source_set_callback(shares->reports, G_SOURCE_FUNC(on_report), shares, NULL);
    g_source_attach(shares->reports, g_main_context_get_thread_default());
    g_ptr_array_set_size(shares->skipped, 0);
    if (shares->ledger_fd < 0) {
        berth_error_set_errno(error, errno, "share.start", "memfd_create");
        return false;
    }
    const int from[] = {port, write_end, shares->ledger_fd};
    const int to[] = {PORT_FD, REPORT_FD, LEDGER_FD};
    return g_spawn_async_with_pipes_and_fds(NULL, (const char *const *)argv, NULL,
                                            G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_FILE_AND_ARGV_ZERO,
                                            NULL, NULL, -1, -1, -1, from, to, G_N_ELEMENTS(from),
                                            &shares->pid, NULL, NULL, NULL, error);
}

static void follow_child(BerthShareProcess *shares)
{
    shares->child = g_child_watch_source_new(shares->pid);
    g_source_set_callback(shares->child, G_SOURCE_FUNC(on_child_exit), shares, NULL);
    g_source_attach(shares->child, g_main_context_get_thread_default());
}

static void launch(BerthShareProcess *shares)
{
    g_autoptr(GError) error = NULL;
    berth_autofd int port = connect_to_guest(shares);
    if (port < 0)
        berth_error_set_errno(&error, errno, "share.start", "connect berth-share to QEMU");
    if (port < 0 || !spawn(shares, port, &error)) {
        forget_child(shares);
        shares->events->failed(error, shares->user_data);
        return;
    }
    follow_child(shares);
}

/* A file with the list of @watches, or -1. */
static int write_watches(gint64 since_nsec, const WireWatch *watches, gsize n_watches)
{
    const WireWatchList list = {since_nsec, n_watches};
    berth_autofd int fd = memfd_create("berth-share-watches", MFD_CLOEXEC);
    if (fd < 0 || berth_fd_write_all(fd, &list, sizeof(list)) < 0 ||
        berth_fd_write_all(fd, watches, n_watches * sizeof(*watches)) < 0)
        return -1;
    return berth_fd_steal(&fd);
}

void berth_share_process_suspend(BerthShareProcess *shares, gint64 since_nsec,
                                 const WireWatch *watches, gsize n_watches)
{
    g_autoptr(GError) error = NULL;
    shares->is_owed = shares->pid != 0 && !has_begun(shares);
    shares->is_suspended = true;
    end_child(shares);
    berth_autofd int list = n_watches == 0 ? -1 : write_watches(since_nsec, watches, n_watches);
    if (list < 0)
        return;
    if (spawn(shares, list, &error)) {
        follow_child(shares);
        return;
    }
    forget_child(shares);
    shares->events->log(error->message, shares->user_data);
}

void berth_share_process_wake(BerthShareProcess *shares)
{
    bool is_owed = shares->is_owed;
    end_child(shares);
    shares->is_suspended = shares->is_owed = false;
    if (is_owed)
        launch(shares);
}

#define SAVED_TYPE "(uubasm" BERTH_SPARSE_COPY_TYPE ")"

GVariant *berth_share_process_save(const BerthShareProcess *shares)
{
    GVariant *ledger =
        shares->ledger_fd >= 0 ? berth_sparse_copy_save(shares->ledger_fd, LEDGER_DATA_MAX) : NULL;
    g_auto(GVariantBuilder) targets;
    g_variant_builder_init(&targets, G_VARIANT_TYPE_STRING_ARRAY);
    for (guint i = 0; i < shares->targets->len; i++)
        g_variant_builder_add(&targets, "s", shares->targets->pdata[i]);
    return g_variant_new("(uubasm@" BERTH_SPARSE_COPY_TYPE ")", shares->uid, shares->gid,
                         shares->is_owed, &targets, ledger);
}

bool berth_share_process_restore(BerthShareProcess *shares, GVariant *saved)
{
    gboolean is_owed = FALSE;
    g_autoptr(GVariant) ledger = NULL;
    g_autoptr(GVariantIter) targets = NULL;
    const char *target;
    if (!g_variant_is_of_type(saved, G_VARIANT_TYPE(SAVED_TYPE)))
        return false;
    g_variant_get(saved, "(uubasm@" BERTH_SPARSE_COPY_TYPE ")", &shares->uid, &shares->gid,
                  &is_owed, &targets, &ledger);
    while (g_variant_iter_next(targets, "&s", &target))
        g_ptr_array_add(shares->targets, g_strdup(target));
    shares->is_suspended = true;
    shares->is_owed = is_owed;
    berth_fd_close(&shares->ledger_fd);
    if (ledger != NULL)
        shares->ledger_fd = berth_sparse_copy_load(ledger, "berth-share", LEDGER_SIZE_MAX);
    return true;
}

void berth_share_process_start(BerthShareProcess *shares, guint32 uid, guint32 gid)
{
    if (shares->is_suspended) {
        shares->uid = uid;
        shares->gid = gid;
        shares->is_owed = true;
        return;
    }
    if (shares->pid != 0 && !has_begun(shares))
        return; /* it was started again after one that the guest has not seen, and waits for it */
    end_child(shares);
    shares->uid = uid;
    shares->gid = gid;
    launch(shares);
}
