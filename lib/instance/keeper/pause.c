/* SPDX-License-Identifier: MIT */
#include "pause.h"

#include "base/fd.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/statvfs.h>

#define ROOM_STEP     (G_GUINT64_CONSTANT(1) << 20) /* bytes of new free space that cause a retry */
#define WORDS_MAX     100u
#define RELAPSE_TURNS 64u /* a stop this soon after a retry continues the same pause */

typedef enum {
    RUNNING,
    STOPPED,
    TRYING, /* resumed; a whole turn without another stop ends the pause */
} State;

struct BerthPause {
    int disk; /* a descriptor, or -1 */
    guint turn_msec;
    const BerthPauseOps *ops;
    gpointer user_data;
    State state;
    char *reason;  /* of the last failure; NULL: none yet */
    bool device;   /* an I/O error of the device, which may take long to fail */
    GSource *turn; /* the timer; NULL while RUNNING */
    guint wait;    /* turns between the last retry and the next */
    guint waited;  /* turns since the last retry */
    guint64 room;  /* free bytes at the last retry */
    gint64 tried;  /* monotonic usec of the last resume; 0: never */
    guint quiet;   /* turns without a stop that end the pause */
};

/* @words are strerror()'s in the C locale, in which QEMU runs. */
static void set_reason(BerthPause *pause, const char *words)
{
    bool full = g_str_equal(words, "No space left on device");
    bool quota = g_str_equal(words, "Disk quota exceeded");
    g_autofree char *clean = berth_text_clean(words, WORDS_MAX);
    pause->device = !full && !quota;
    g_free(pause->reason);
    pause->reason = full    ? g_strdup("the host's disk is full")
                    : quota ? g_strdup("the quota on the host's disk is used up")
                            : g_strdup_printf("the host cannot write the distro's disk: %s", clean);
}

/* Free bytes of the disk's file system; 0 when unknown. */
static guint64 free_space(const BerthPause *pause)
{
    struct statvfs info;
    return fstatvfs(pause->disk, &info) == 0 ? (guint64)info.f_bavail * info.f_frsize : 0;
}

static void set_turn(BerthPause *pause, GSourceFunc func)
{
    if (pause->turn != NULL) {
        g_source_destroy(pause->turn);
        g_clear_pointer(&pause->turn, g_source_unref);
    }
    if (func == NULL)
        return;
    pause->turn = g_timeout_source_new(pause->turn_msec);
    g_source_set_callback(pause->turn, func, pause, NULL);
    g_source_attach(pause->turn, g_main_context_get_thread_default());
}

void berth_pause_retry(BerthPause *pause)
{
    if (pause->state != STOPPED)
        return;
    pause->room = free_space(pause);
    pause->wait = MIN(pause->wait * 2, BERTH_PAUSE_TURNS_MAX);
    pause->waited = 0;
    pause->ops->resume(pause->user_data);
}

static guint turns_since_try(const BerthPause *pause)
{
    gint64 turns = (g_get_monotonic_time() - pause->tried) / 1000 / pause->turn_msec;
    return (guint)MIN(turns, G_MAXUINT / 4);
}

static gboolean on_turn(gpointer user_data)
{
    BerthPause *pause = user_data;
    if (pause->state == TRYING && turns_since_try(pause) < pause->quiet)
        return G_SOURCE_CONTINUE;
    if (pause->state == TRYING) {
        pause->state = RUNNING;
        set_turn(pause, NULL);
        pause->ops->changed(NULL, pause->user_data);
        return G_SOURCE_REMOVE;
    }
    pause->waited++;
    if (pause->waited >= pause->wait || free_space(pause) >= pause->room + ROOM_STEP)
        berth_pause_retry(pause);
    return G_SOURCE_CONTINUE;
}

/* Continue the back-off when the last retry failed late, else restart it. */
static void begin(BerthPause *pause)
{
    guint turns = turns_since_try(pause);
    bool relapse = pause->device && pause->tried != 0 && turns < RELAPSE_TURNS;
    pause->quiet = relapse ? 2 * turns + 1 : 1;
    pause->wait = relapse ? pause->wait : 1;
    pause->waited = 0;
    pause->room = free_space(pause);
    pause->ops->changed(berth_pause_reason(pause), pause->user_data);
}

/* The errno of a writeback error since the last call, or 0. The range is far beyond the end of the
 * file, so the call neither starts nor waits for a write. */
static int find_loss(const BerthPause *pause)
{
    return sync_file_range(pause->disk, G_MAXINT64 / 2, 1, SYNC_FILE_RANGE_WAIT_BEFORE) == 0
               ? 0
               : errno;
}

static bool is_loss(int errnum)
{
    return errnum == EIO || errnum == ENOSPC || errnum == EDQUOT;
}

void berth_pause_stopped(BerthPause *pause)
{
    bool first = pause->state == RUNNING;
    if (pause->state == STOPPED)
        return;
    pause->state = STOPPED;
    set_turn(pause, on_turn);
    if (first)
        begin(pause);
    int errnum = find_loss(pause);
    if (is_loss(errnum))
        pause->ops->lost(g_strerror(errnum), pause->user_data);
}

void berth_pause_resumed(BerthPause *pause)
{
    if (pause->state != STOPPED)
        return;
    pause->state = TRYING;
    pause->tried = g_get_monotonic_time();
    set_turn(pause, on_turn);
}

void berth_pause_failed(BerthPause *pause, const char *words)
{
    g_autofree char *before = g_strdup(pause->reason);
    set_reason(pause, words);
    if (pause->state != RUNNING && g_strcmp0(before, pause->reason) != 0)
        pause->ops->changed(pause->reason, pause->user_data);
}

const char *berth_pause_reason(const BerthPause *pause)
{
    if (pause == NULL || pause->state == RUNNING)
        return NULL;
    return pause->reason != NULL ? pause->reason : "QEMU has stopped it";
}

BerthPause *berth_pause_new(const char *disk, guint turn_msec, const BerthPauseOps *ops,
                            gpointer user_data)
{
    BerthPause *pause = g_new0(BerthPause, 1);
    pause->disk = open(disk, O_RDONLY | O_CLOEXEC);
    pause->turn_msec = turn_msec;
    pause->ops = ops;
    pause->user_data = user_data;
    return pause;
}

void berth_pause_free(BerthPause *pause)
{
    if (pause == NULL)
        return;
    set_turn(pause, NULL);
    berth_fd_close(&pause->disk);
    g_free(pause->reason);
    g_free(pause);
}
