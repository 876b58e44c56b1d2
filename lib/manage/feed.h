/* SPDX-License-Identifier: MIT
 *
 * feed — a download whose bytes a reader gets while they arrive.
 *
 *     berth-fetch -> file -> SHA-256 -> pipe -> reader          (a file)
 *     berth-fetch -> file, and how far it is by a pipe -> reader (an image of a registry)
 *
 * The addresses of the download are tried in order. The pipe ends only after all that went through
 * it had the expected SHA-256 (without one: that of the complete file). Until berth_feed_finish has
 * said so, nothing that the reader made may become visible.
 *
 * Layers of an image arrive beside each other, so its reader gets the file itself and numbers
 * (disk/file/growth.h): the documents, and the layers up to there. That reader knows all digests,
 * and says whether they matched.
 *
 * Two threads: one runs berth-fetch, the other follows its file. All functions are called on one
 * other thread. Errors: those of lib/fetch/get.h; errno's, "fetch.open.*", "fetch.read.*";
 * worker.h's, with "fetch".
 */
#pragma once

#include "download.h"

G_BEGIN_DECLS

typedef struct BerthFeed BerthFeed;

typedef enum {
    BERTH_FEED_GOOD,   /* the reader had all bytes, and the right ones */
    BERTH_FEED_AGAIN,  /* the file is complete, but the reader had others: open the feed again */
    BERTH_FEED_FAILED, /* there is no such file; with an error */
} BerthFeedResult;

/* Begin to download @download, which is borrowed until the feed is freed. */
BerthFeed *berth_feed_new(const BerthLayout *layout, const BerthDownload *download, GError **error);

/* Ends the download. */
void berth_feed_free(BerthFeed *feed);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthFeed, berth_feed_free)

/* A pipe with the file from its beginning. Of an image the file, and *@ret_growth is the pipe with
 * the numbers; else -1. Both are borrowed until berth_feed_finish. */
int berth_feed_open(BerthFeed *feed, int *ret_growth, GError **error);

/* Whether the reader should go on: not after a failure, nor with bytes that proved wrong.
 * *@ret_total is the file's size, 0 while it is unknown. */
bool berth_feed_goes_on(BerthFeed *feed, guint64 *ret_total);

/* The next line for the user, or NULL; free with g_free. */
char *berth_feed_notice(BerthFeed *feed);

/* After the reader's end: wait for that of the download, unless @watch cancels it, and close the
 * pipe. What a reader that ended early has not read counts as read. @matched: the reader of an
 * image found all its digests. */
BerthFeedResult berth_feed_finish(BerthFeed *feed, bool matched, const BerthWatch *watch,
                                  GError **error);

/* After BERTH_FEED_GOOD: keep the file for the next time, if a SHA-256 was expected. */
bool berth_feed_keep(BerthFeed *feed, GError **error);

G_END_DECLS
