/* SPDX-License-Identifier: MIT */
#include "pause.h"

#include "base/text.h"

#include <stdbool.h>
#include <sys/statvfs.h>

#define ROOM_STEP (G_GUINT64_CONSTANT(1) << 20) /* bytes more than before are worth a try */
#define WORDS_MAX 100u

typedef enum {
    RUNNING,
    STOPPED,
    TRYING, /* QEMU goes on; whether it stops again shows within a turn */
} State;

struct BerthPause {
    char *disk;
    guint turn_msec;
    const BerthPauseOps *ops;
    gpointer user_data;
    State state;
    char *reason;  /* of the last failure; NULL before there was one */
    GSource *turn; /* each turn while it is not RUNNING */
    guint wait;    /* turns until the next try */
    guint waited;  /* turns since the last one */
    guint64 room;  /* bytes, at the last try */
};

/* As strerror of the C library has them in the C locale, which is QEMU's. */
static char *describe(const char *words)
{
    if (g_str_equal(words, "No space left on device"))
        return g_strdup("the host's disk is full");
    if (g_str_equal(words, "Disk quota exceeded"))
        return g_strdup("the quota on the host's disk is used up");
    g_autofree char *clean = berth_text_clean(words, WORDS_MAX);
    return g_strdup_printf("the host cannot write the distro's disk: %s", clean);
}

/* 0 where that cannot be told. */
static guint64 free_room(const BerthPause *pause)
{
    struct statvfs info;
    return statvfs(pause->disk, &info) == 0 ? (guint64)info.f_bavail * info.f_frsize : 0;
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
    pause->room = free_room(pause);
    pause->wait = MIN(pause->wait * 2, BERTH_PAUSE_TURNS_MAX);
    pause->waited = 0;
    pause->ops->resume(pause->user_data);
}

static gboolean on_turn(gpointer user_data)
{
    BerthPause *pause = user_data;
    if (pause->state == TRYING) {
        pause->state = RUNNING;
        set_turn(pause, NULL);
        pause->ops->changed(NULL, pause->user_data);
        return G_SOURCE_REMOVE;
    }
    pause->waited++;
    if (pause->waited >= pause->wait || free_room(pause) >= pause->room + ROOM_STEP)
        berth_pause_retry(pause);
    return G_SOURCE_CONTINUE;
}

static void begin(BerthPause *pause)
{
    pause->wait = 1;
    pause->waited = 0;
    pause->room = free_room(pause);
    pause->ops->changed(berth_pause_reason(pause), pause->user_data);
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
}

void berth_pause_resumed(BerthPause *pause)
{
    if (pause->state != STOPPED)
        return;
    pause->state = TRYING;
    set_turn(pause, on_turn);
}

void berth_pause_failed(BerthPause *pause, const char *words)
{
    g_autofree char *before = pause->reason;
    pause->reason = describe(words);
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
    pause->disk = g_strdup(disk);
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
    g_free(pause->disk);
    g_free(pause->reason);
    g_free(pause);
}
