/* SPDX-License-Identifier: MIT */
#include "archive.h"

#include "base/error.h"
#include "disk/archive/format_probe.h"
#include "disk/archive/spool.h"
#include "disk/archive/stream.h"
#include "disk/file/growth.h"

#include <sys/stat.h>
#include <unistd.h>

#define MAGIC_SIZE 6U

struct BerthArchive {
    char *name;
    char *architecture;
    char *digest;
    int input;
    guint64 start; /* the initial offset of the input */
    guint64 size;  /* of the input from there; 0: unknown */
    BerthGrowth growth;
    bool growing;

    BerthStream *stream; /* owned until a tar takes it */
    BerthSpool *spool;   /* NULL: not needed */
    BerthLayers *layers; /* NULL: the archive is a root file system */
    BerthTar *tar;
    bool started;

    guint64 spooled; /* bytes of the input that went into the spool */
    guint64 before;  /* bytes of the tars before @tar */
};

void berth_archive_free(BerthArchive *archive)
{
    if (archive == NULL)
        return;
    berth_tar_free(archive->tar);
    berth_stream_free(archive->stream);
    berth_layers_free(archive->layers);
    berth_spool_free(archive->spool);
    g_free(archive->architecture);
    g_free(archive->digest);
    g_free(archive->name);
    g_free(archive);
}

static void find_size(BerthArchive *archive)
{
    struct stat status;
    if (fstat(archive->input, &status) < 0 || !S_ISREG(status.st_mode))
        return;
    off_t at = lseek(archive->input, 0, SEEK_CUR);
    archive->start = at > 0 ? (guint64)at : 0;
    archive->size = at < status.st_size ? (guint64)(status.st_size - at) : 0;
}

/* Whether the input can be read in any order: an uncompressed regular file. */
static bool is_random_access(const BerthArchive *archive)
{
    guint8 head[MAGIC_SIZE];
    return archive->size > 0 &&
           pread(archive->input, head, sizeof(head), (off_t)archive->start) == sizeof(head) &&
           berth_format_compression(head, sizeof(head)) == BERTH_COMPRESSION_NONE;
}

/* Look for an image in the plain tar at @offset of @fd; without one it is a root file system. */
static bool open_layers(BerthArchive *archive, int fd, guint64 offset, guint64 length,
                        GError **error)
{
    g_clear_pointer(&archive->stream, berth_stream_free);
    const BerthLayersInput input = {.name = archive->name,
                                    .architecture = archive->architecture,
                                    .digest = archive->digest,
                                    .fd = fd,
                                    .offset = offset,
                                    .length = length,
                                    .growth = archive->growing ? &archive->growth : NULL};
    if (!berth_layers_open(&input, &archive->layers, error))
        return false;
    if (archive->layers != NULL)
        return true;
    BerthSource *source = berth_source_new_range(fd, offset, length);
    berth_source_set_growth(source, input.growth);
    archive->stream = berth_stream_open(source, archive->name, error);
    return archive->stream != NULL;
}

static bool probe_head(BerthArchive *archive, const BerthArchiveOptions *options, GError **error)
{
    const guint8 *head = NULL;
    gsize size = 0;
    if (!berth_stream_peek(archive->stream, &head, &size, error)) {
        g_prefix_error(error, "%s: ", archive->name);
        return false;
    }
    if (!berth_layers_probe(head, size) && archive->digest == NULL)
        return true;
    if (is_random_access(archive))
        return open_layers(archive, archive->input, archive->start, archive->size, error);
    archive->spool = berth_spool_new(options->spool, options->spool_max, error);
    return archive->spool != NULL;
}

/* The layers are read in place, the lowest first, each as far as it has come. */
static bool open_growing(BerthArchive *archive, GError **error)
{
    guint64 ready = 0;
    if (!berth_growth_wait(&archive->growth, 0, -1, &ready, error)) {
        g_prefix_error(error, "%s: ", archive->name);
        return false;
    }
    find_size(archive);
    return open_layers(archive, archive->input, archive->start, archive->size, error);
}

static bool open_whole(BerthArchive *archive, const BerthArchiveOptions *options, GError **error)
{
    find_size(archive);
    archive->stream = berth_stream_open(berth_source_new(archive->input), options->name, error);
    if (archive->stream == NULL) {
        g_prefix_error(error, "%s: ", options->name);
        return false;
    }
    return probe_head(archive, options, error);
}

BerthArchive *berth_archive_open(int input, const BerthArchiveOptions *options, GError **error)
{
    g_autoptr(BerthArchive) archive = g_new0(BerthArchive, 1);
    archive->name = g_strdup(options->name);
    archive->architecture = g_strdup(options->architecture);
    archive->digest = g_strdup(options->digest);
    archive->input = input;
    archive->growing = options->growing;
    archive->growth.fd = options->spool;
    bool opened =
        options->growing ? open_growing(archive, error) : open_whole(archive, options, error);
    return opened ? g_steal_pointer(&archive) : NULL;
}

bool berth_archive_prepare(BerthArchive *archive, bool *ret_ready, GError **error)
{
    *ret_ready = archive->spool == NULL || berth_spool_is_whole(archive->spool);
    if (*ret_ready)
        return true;

    const guint8 *data = NULL;
    gsize size = 0;
    if (!berth_stream_read(archive->stream, &data, &size, error) ||
        !berth_spool_append(archive->spool, data, size, error)) {
        g_prefix_error(error, "%s: ", archive->name);
        return false;
    }
    archive->spooled = berth_stream_position(archive->stream);
    return !berth_spool_is_whole(archive->spool) ||
           open_layers(archive, berth_spool_fd(archive->spool), 0, berth_spool_size(archive->spool),
                       error);
}

bool berth_archive_next(BerthArchive *archive, BerthTar **ret_tar, GError **error)
{
    *ret_tar = NULL;
    if (archive->tar != NULL)
        archive->before += berth_tar_position(archive->tar);
    g_clear_pointer(&archive->tar, berth_tar_free);
    if (archive->layers != NULL) {
        if (!berth_layers_next(archive->layers, &archive->tar, error))
            return false;
    } else if (!archive->started) {
        archive->tar = berth_tar_open(g_steal_pointer(&archive->stream), archive->name, error);
        if (archive->tar == NULL)
            return false;
    }
    archive->started = true;
    *ret_tar = archive->tar;
    return true;
}

const BerthImageOrigin *berth_archive_origin(const BerthArchive *archive)
{
    return archive->layers != NULL ? berth_layers_origin(archive->layers) : NULL;
}

/* Progress in a random-access input or a root file system: bytes read, and all of them. */
static guint64 unpacked(const BerthArchive *archive)
{
    return archive->before + (archive->tar != NULL ? berth_tar_position(archive->tar) : 0);
}

static guint64 to_unpack(const BerthArchive *archive)
{
    if (archive->layers != NULL)
        return berth_layers_size(archive->layers);
    return archive->spool != NULL ? berth_spool_size(archive->spool) : archive->size;
}

guint64 berth_archive_position(const BerthArchive *archive)
{
    if (archive->spool == NULL)
        return unpacked(archive);
    if (!berth_spool_is_whole(archive->spool))
        return archive->spooled;
    double share = (double)unpacked(archive) / (double)MAX(to_unpack(archive), 1);
    return archive->spooled + (guint64)(share * (double)archive->spooled);
}

guint64 berth_archive_total(const BerthArchive *archive)
{
    if (archive->size == 0 || archive->spool == NULL)
        return archive->size == 0 ? 0 : to_unpack(archive);
    return berth_spool_is_whole(archive->spool) ? 2 * archive->spooled : 2 * archive->size;
}

guint64 berth_archive_bytes(const BerthArchive *archive)
{
    return archive->spool != NULL ? archive->spooled : unpacked(archive);
}
