/* SPDX-License-Identifier: MIT */
#include "feed.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/sha256.h"
#include "disk/file/growth.h"
#include "download_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define BLOCK     (1 << 18)
#define PIPE_SIZE (1 << 20)
#define TICK_USEC (G_USEC_PER_SEC / 10)

struct BerthFeed {
    const BerthDownload *download;
    BerthDownloadFile *file;
    GThread *fetcher;
    GThread *relay;       /* NULL: the feed is not open, or of an image */
    int reading, writing; /* the pipe, and of an image the socket for its growth; the writing end
                             belongs to the relay, and of an image to the thread of berth-fetch */
    guint64 ready;        /* of an image, as last sent; the fetcher's */
    GAsyncQueue *notices; /* char * */
    bool was_complete;    /* the file was, when the feed was opened */

    /* The relay's, until it was joined. */
    GError *relay_problem;
    char *fed; /* the digest of what went through the pipe */

    GMutex lock; /* for all below */
    GCond changed;
    guint64 total;
    bool cancelled;
    bool fetched; /* berth-fetch has ended, for good or with @problem */
    GError *problem;
    char *digest; /* of the complete file, as berth-fetch says */
    guint grown;  /* counts berth-fetch's messages */
    bool checked; /* the relay has come to an end */
    bool matched; /* what went through it had the digest, or all digests of an image were right */
};

/* --- the thread of berth-fetch --- */

static bool on_fetched(guint64 done, guint64 total, gpointer user_data)
{
    BerthFeed *feed = user_data;
    g_mutex_lock(&feed->lock);
    feed->total = total;
    feed->grown++;
    bool goes_on = !feed->cancelled;
    g_cond_broadcast(&feed->changed);
    g_mutex_unlock(&feed->lock);
    return goes_on;
}

static bool is_image(const BerthFeed *feed)
{
    return feed->download->image != NULL;
}

/* What is ready goes straight to the reader. */
static bool on_image_fetched(const BerthProgress *progress, gpointer user_data)
{
    BerthFeed *feed = user_data;
    if (progress->ready > feed->ready)
        berth_growth_send(feed->writing, progress->ready);
    feed->ready = MAX(feed->ready, progress->ready);
    return on_fetched(progress->bytes_done, progress->bytes_total, feed);
}

/* Without a digest of its own: its reader knows them. */
static void fetch_image(BerthFeed *feed, GError **error)
{
    if (berth_download_file_fetch_image(feed->file, on_image_fetched, feed, error))
        berth_growth_complete(feed->writing);
}

static gpointer fetch(gpointer data)
{
    BerthFeed *feed = data;
    const BerthWatch watch = {.progress = on_fetched, .user_data = feed};
    GError *problem = NULL;
    char *digest = NULL;
    if (is_image(feed))
        fetch_image(feed, &problem);
    else
        digest = berth_download_file_fetch(feed->file, &watch, feed->notices, &problem);
    g_mutex_lock(&feed->lock);
    feed->fetched = true;
    feed->digest = digest;
    feed->problem = problem;
    g_cond_broadcast(&feed->changed);
    g_mutex_unlock(&feed->lock);
    return NULL;
}

/* --- the thread of the pipe --- */

typedef enum { GROWN, COMPLETE, GIVEN_UP } Growth;

/* Wait until the file may have more than it had at *@seen; 0: at once. */
static Growth wait_for_more(BerthFeed *feed, guint *seen)
{
    g_mutex_lock(&feed->lock);
    while (feed->grown == *seen && !feed->fetched && !feed->cancelled)
        g_cond_wait(&feed->changed, &feed->lock);
    *seen = feed->grown;
    Growth growth = feed->cancelled || feed->problem != NULL ? GIVEN_UP
                    : feed->fetched                          ? COMPLETE
                                                             : GROWN;
    g_mutex_unlock(&feed->lock);
    return growth;
}

/* Hand on @block. A reader that has ended is no error: what is left is hashed all the same. */
static void hand_on(BerthFeed *feed, const guint8 *block, gsize size)
{
    if (feed->writing >= 0 && berth_fd_write_all(feed->writing, block, size) != 0)
        berth_fd_close(&feed->writing);
}

/* Hand on the file from *@at as far as it goes. False: it cannot be read. */
static bool relay_some(BerthFeed *feed, BerthSha256 *sha256, guint8 *block, guint64 *at)
{
    for (;;) {
        ssize_t size = pread(berth_download_file_fd(feed->file), block, BLOCK, (off_t)*at);
        if (size == 0)
            return true;
        if (size < 0 && errno != EINTR) {
            berth_error_set_errno(&feed->relay_problem, errno, "fetch.read", "read the download");
            return false;
        }
        berth_sha256_update(sha256, block, (gsize)MAX(size, 0));
        hand_on(feed, block, (gsize)MAX(size, 0));
        *at += (guint64)MAX(size, 0);
    }
}

static bool relay_all(BerthFeed *feed, BerthSha256 *sha256)
{
    g_autofree guint8 *block = g_malloc(BLOCK);
    guint64 at = 0;
    guint seen = 0;
    for (;;) {
        Growth growth = wait_for_more(feed, &seen);
        if (growth == GIVEN_UP || !relay_some(feed, sha256, block, &at))
            return false;
        if (growth == COMPLETE)
            return true;
    }
}

static gpointer relay(gpointer data)
{
    BerthFeed *feed = data;
    sigset_t broken;
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken, NULL);

    g_autoptr(BerthSha256) sha256 = berth_sha256_new();
    bool complete = relay_all(feed, sha256);
    g_free(feed->fed);
    feed->fed = berth_sha256_format(sha256);
    g_mutex_lock(&feed->lock);
    const char *sought = feed->download->sha256 != NULL ? feed->download->sha256 : feed->digest;
    feed->matched = complete && g_strcmp0(feed->fed, sought) == 0;
    feed->checked = true;
    g_cond_broadcast(&feed->changed);
    g_mutex_unlock(&feed->lock);
    if (feed->matched)
        berth_fd_close(&feed->writing);
    return NULL;
}

/* --- the caller's --- */

BerthFeed *berth_feed_new(const BerthLayout *layout, const BerthDownload *download, GError **error)
{
    BerthDownloadFile *file = berth_download_file_new(layout, download, error);
    if (file == NULL)
        return NULL;
    BerthFeed *feed = g_new0(BerthFeed, 1);
    feed->download = download;
    feed->file = file;
    feed->reading = feed->writing = -1;
    feed->notices = g_async_queue_new_full(g_free);
    g_mutex_init(&feed->lock);
    g_cond_init(&feed->changed);
    if (download->image == NULL || berth_growth_new(&feed->reading, &feed->writing, error))
        feed->fetcher = g_thread_new("berth-fetch", fetch, feed);
    if (feed->fetcher == NULL)
        g_clear_pointer(&feed, berth_feed_free);
    return feed;
}

/* End the relay; its writing fails once nobody reads. */
static void close_pipe(BerthFeed *feed)
{
    berth_fd_close(&feed->reading);
    if (feed->relay != NULL)
        g_thread_join(feed->relay);
    feed->relay = NULL;
    if (!is_image(feed))
        berth_fd_close(&feed->writing);
}

static void cancel(BerthFeed *feed)
{
    g_mutex_lock(&feed->lock);
    feed->cancelled = true;
    g_cond_broadcast(&feed->changed);
    g_mutex_unlock(&feed->lock);
}

void berth_feed_free(BerthFeed *feed)
{
    if (feed == NULL)
        return;
    cancel(feed);
    close_pipe(feed);
    if (feed->fetcher != NULL)
        g_thread_join(feed->fetcher);
    berth_fd_close(&feed->writing);
    berth_download_file_free(feed->file);
    g_async_queue_unref(feed->notices);
    g_clear_error(&feed->problem);
    g_clear_error(&feed->relay_problem);
    g_free(feed->digest);
    g_free(feed->fed);
    g_mutex_clear(&feed->lock);
    g_cond_clear(&feed->changed);
    g_free(feed);
}

static bool open_relay(BerthFeed *feed, GError **error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) {
        berth_error_set_errno(error, errno, "fetch.open", "pipe");
        return false;
    }
    fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE); /* a smaller one is only slower */
    feed->reading = ends[0];
    feed->writing = ends[1];
    feed->relay = g_thread_new("berth-feed", relay, feed);
    return true;
}

int berth_feed_open(BerthFeed *feed, int *ret_growth, GError **error)
{
    g_mutex_lock(&feed->lock);
    feed->was_complete = feed->fetched;
    feed->checked = feed->matched = false;
    g_mutex_unlock(&feed->lock);
    *ret_growth = is_image(feed) && !feed->was_complete ? feed->reading : -1;
    if (is_image(feed))
        return berth_download_file_fd(feed->file);
    return open_relay(feed, error) ? feed->reading : -1;
}

bool berth_feed_goes_on(BerthFeed *feed, guint64 *ret_total)
{
    g_mutex_lock(&feed->lock);
    *ret_total = feed->total;
    bool goes_on = feed->problem == NULL && (!feed->checked || feed->matched);
    g_mutex_unlock(&feed->lock);
    return goes_on;
}

char *berth_feed_notice(BerthFeed *feed)
{
    return g_async_queue_try_pop(feed->notices);
}

/* Whether the download has ended, and the relay with it. The lock is held. */
static bool has_ended(const BerthFeed *feed)
{
    return is_image(feed) ? feed->fetched : feed->checked;
}

/* False: cancelled. */
static bool wait_for_end(BerthFeed *feed, const BerthWatch *watch)
{
    bool goes_on = true;
    g_mutex_lock(&feed->lock);
    while (goes_on && !has_ended(feed)) {
        g_cond_wait_until(&feed->changed, &feed->lock, g_get_monotonic_time() + TICK_USEC);
        g_mutex_unlock(&feed->lock);
        goes_on = watch->progress == NULL || watch->progress(0, 0, watch->user_data);
        g_mutex_lock(&feed->lock);
    }
    bool ended = has_ended(feed);
    g_mutex_unlock(&feed->lock);
    return ended;
}

/* The download has ended. */
static BerthFeedResult result_of(BerthFeed *feed, GError **error)
{
    g_mutex_lock(&feed->lock);
    const GError *problem = feed->problem != NULL ? feed->problem : feed->relay_problem;
    GError *copy = problem != NULL ? g_error_copy(problem) : NULL;
    g_mutex_unlock(&feed->lock);
    if (copy != NULL) {
        g_propagate_error(error, copy);
        return BERTH_FEED_FAILED;
    }
    if (feed->matched)
        return BERTH_FEED_GOOD;
    if (!feed->was_complete)
        return BERTH_FEED_AGAIN;
    berth_download_set_digest_error(feed->download, feed->fed, error);
    return BERTH_FEED_FAILED;
}

BerthFeedResult berth_feed_finish(BerthFeed *feed, bool matched, const BerthWatch *watch,
                                  GError **error)
{
    berth_fd_close(&feed->reading);
    bool ended = wait_for_end(feed, watch);
    if (!ended)
        cancel(feed);
    close_pipe(feed);
    if (is_image(feed))
        feed->matched = matched || feed->was_complete; /* the reader had the file as it is */
    if (ended)
        return result_of(feed, error);
    berth_error_set(error, BERTH_ERROR_CANCELLED, "fetch.cancelled", NULL, "cancelled");
    return BERTH_FEED_FAILED;
}

bool berth_feed_keep(BerthFeed *feed, GError **error)
{
    return berth_download_file_keep(feed->file, error);
}
