/* SPDX-License-Identifier: MIT */
#include "park_file.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/le.h"
#include "park_header.h"
#include "park_sum.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_SIZE (1u << 20) /* is read and written at once; no run crosses a multiple */
#define GAP_MIN    4u         /* fewer zero pages between others are saved with them */
#define CPUS_MAX   255u       /* as in model/machine.c */
#define BLOCK_SIZE 512u       /* the unit of st_blocks on every file system */

typedef struct {
    guint64 offset, length, sum;
} Run;

void berth_parked_clear(BerthParked *parked)
{
    g_clear_pointer(&parked->state, g_bytes_unref);
    g_clear_pointer(&parked->life, g_bytes_unref);
}

/* --- its name --------------------------------------------------------------------------------- */

char *berth_park_path(const char *disk)
{
    return g_strconcat(disk, ".parked", NULL);
}

static char *unfinished_path(const char *disk)
{
    return g_strconcat(disk, ".parking", NULL);
}

bool berth_park_exists(const char *disk)
{
    g_autofree char *path = berth_park_path(disk);
    return access(path, F_OK) == 0;
}

static bool sync_directory_of(const char *path)
{
    g_autofree char *directory = g_path_get_dirname(path);
    berth_autofd int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && berth_fd_sync_directory(fd) == 0;
}

static bool remove_file(const char *path)
{
    return unlink(path) == 0 || errno == ENOENT;
}

bool berth_park_remove(const char *disk)
{
    g_autofree char *path = berth_park_path(disk);
    g_autofree char *unfinished = unfinished_path(disk);
    if (!remove_file(unfinished))
        return false;
    if (unlink(path) < 0)
        return errno == ENOENT;
    return sync_directory_of(path);
}

/* --- writing ---------------------------------------------------------------------------------- */

typedef struct {
    int fd;
    const char *path;
    int memory;
    guint64 memory_size;
    gint *progress; /* BerthParkProgress */
    guint64 at;     /* of the file, where the next bytes go */
    GArray *runs;   /* Run */
    guint8 *chunk;
} Writer;

static bool set_errno(GError **error, int errnum, const char *path)
{
    berth_error_set_errno(error, errnum, "park.write", "%s", path);
    return false;
}

static bool set_cancelled(GError **error)
{
    berth_error_set(error, BERTH_ERROR_CANCELLED, "park.cancelled", NULL, "it is needed");
    return false;
}

static bool set_damaged(GError **error, const char *path)
{
    berth_error_set(error, BERTH_ERROR_INVALID, "park.damaged", NULL, "%s: it is damaged", path);
    return false;
}

static bool write_at(int fd, const void *data, gsize size, guint64 at)
{
    const guint8 *bytes = data;
    while (size > 0) {
        ssize_t written = pwrite(fd, bytes, size, (off_t)at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        bytes += written;
        size -= (gsize)written;
        at += (guint64)written;
    }
    return true;
}

/* False with errno, which is 0 at the end of the file. */
static bool read_at(int fd, void *data, gsize size, guint64 at)
{
    guint8 *bytes = data;
    while (size > 0) {
        ssize_t got = pread(fd, bytes, size, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            errno = 0;
        if (got <= 0)
            return false;
        bytes += got;
        size -= (gsize)got;
        at += (guint64)got;
    }
    return true;
}

static bool append(Writer *writer, const void *data, gsize size, GError **error)
{
    if (!write_at(writer->fd, data, size, writer->at))
        return set_errno(error, errno, writer->path);
    writer->at += size;
    return true;
}

static bool append_bytes(Writer *writer, GBytes *bytes, GError **error)
{
    gsize size = 0;
    const void *data = bytes != NULL ? g_bytes_get_data(bytes, &size) : NULL;
    return append(writer, data, size, error);
}

static bool is_zero(const guint8 *page)
{
    return page[0] == 0 && memcmp(page, page + 1, BERTH_PARK_PAGE_SIZE - 1) == 0;
}

/* The number of pages from @page on that are zero, or with @zero false are not, up to @pages. */
static gsize count_pages(const guint8 *chunk, gsize page, gsize pages, bool zero)
{
    gsize end = page;
    while (end < pages && is_zero(chunk + end * BERTH_PARK_PAGE_SIZE) == zero)
        end++;
    return end - page;
}

/* The end of the run that begins at @page, which is not zero. */
static gsize find_run_end(const guint8 *chunk, gsize page, gsize pages)
{
    gsize end = page;
    while (end < pages) {
        end += count_pages(chunk, end, pages, false);
        gsize gap = count_pages(chunk, end, pages, true);
        if (gap >= GAP_MIN || end + gap == pages)
            break;
        end += gap;
    }
    return end;
}

/* Write the @pages of the chunk, which are at @offset in memory. */
static bool write_chunk(Writer *writer, guint64 offset, gsize pages, GError **error)
{
    gsize page = 0;
    while ((page += count_pages(writer->chunk, page, pages, true)) < pages) {
        const guint8 *bytes = writer->chunk + page * BERTH_PARK_PAGE_SIZE;
        gsize size = (find_run_end(writer->chunk, page, pages) - page) * BERTH_PARK_PAGE_SIZE;
        const Run run = {offset + page * BERTH_PARK_PAGE_SIZE, size,
                         berth_park_sum(0, bytes, size)};
        if (!append(writer, bytes, size, error))
            return false;
        g_array_append_val(writer->runs, run);
        page += size / BERTH_PARK_PAGE_SIZE;
    }
    return true;
}

/* Write what is in memory from @offset to @end, both multiples of a page. */
static bool write_range(Writer *writer, guint64 offset, guint64 end, GError **error)
{
    while (offset < end) {
        gsize size = (gsize)MIN(end - offset, CHUNK_SIZE - offset % CHUNK_SIZE);
        if (g_atomic_int_get(writer->progress) != BERTH_PARK_WRITING)
            return set_cancelled(error);
        if (!read_at(writer->memory, writer->chunk, size, offset))
            return set_errno(error, errno != 0 ? errno : EIO, "the guest's memory");
        if (!write_chunk(writer, offset, size / BERTH_PARK_PAGE_SIZE, error))
            return false;
        offset += size;
    }
    return true;
}

static bool write_memory(Writer *writer, GError **error)
{
    off_t end = 0;
    for (;;) {
        off_t begin = lseek(writer->memory, end, SEEK_DATA);
        if (begin < 0 && errno == ENXIO)
            return true;
        end = begin >= 0 ? lseek(writer->memory, begin, SEEK_HOLE) : -1;
        if (end < 0)
            return set_errno(error, errno, "the guest's memory");
        if (!write_range(writer, (guint64)begin, (guint64)end, error))
            return false;
    }
}

/* Refuse early what would not fit in the end. Not every file system can promise room. */
static bool reserve(Writer *writer, bool with_memory, GError **error)
{
    struct stat st;
    if (fstat(writer->memory, &st) < 0)
        return set_errno(error, errno, "the guest's memory");
    writer->memory_size = (guint64)st.st_size;
    if (st.st_size % BERTH_PARK_PAGE_SIZE != 0)
        return set_errno(error, EINVAL, "the guest's memory");
    off_t size =
        (off_t)BERTH_PARK_HEADER_SIZE + (with_memory ? (off_t)st.st_blocks * BLOCK_SIZE : 0);
    if (fallocate(writer->fd, 0, 0, size) == 0 || errno == EOPNOTSUPP || errno == ENOSYS)
        return true;
    return set_errno(error, errno, writer->path);
}

static void put_runs(const GArray *runs, GByteArray *bytes)
{
    for (guint i = 0; i < runs->len; i++) {
        const Run *run = &g_array_index(runs, Run, i);
        guint8 text[BERTH_PARK_RUN_SIZE];
        berth_le_put64(text, run->offset);
        berth_le_put64(text + 8, run->length);
        berth_le_put64(text + 16, run->sum);
        g_byte_array_append(bytes, text, sizeof(text));
    }
}

static guint64 sum_bytes(guint64 seed, GBytes *bytes)
{
    gsize size = 0;
    const void *data = bytes != NULL ? g_bytes_get_data(bytes, &size) : NULL;
    return berth_park_sum(seed, data, size);
}

static guint64 sum_body(GBytes *state, GBytes *life, GBytes *runs)
{
    return sum_bytes(sum_bytes(sum_bytes(0, state), life), runs);
}

static guint64 size_of(GBytes *bytes)
{
    return bytes != NULL ? g_bytes_get_size(bytes) : 0;
}

/* What follows the data, then the header. */
static bool write_rest(Writer *writer, const BerthParked *parked, GError **error)
{
    guint8 bytes[BERTH_PARK_HEADER_SIZE];
    GByteArray *array = g_byte_array_new();
    put_runs(writer->runs, array);
    g_autoptr(GBytes) runs = g_byte_array_free_to_bytes(array);
    const BerthParkHeader header = {
        .flags = BERTH_PARK_WITH_SIZE | (parked->with_memory ? BERTH_PARK_WITH_MEMORY : 0) |
                 (parked->is_elsewhere ? BERTH_PARK_ELSEWHERE : 0),
        .machine = parked->machine,
        .identity = parked->identity,
        .memory_size = writer->memory_size,
        .state_size = size_of(parked->state),
        .life_size = size_of(parked->life),
        .runs = writer->runs->len,
        .data_size = writer->at - BERTH_PARK_HEADER_SIZE,
        .body_sum = sum_body(parked->state, parked->life, runs),
    };
    berth_park_header_put(&header, bytes);
    if (!append_bytes(writer, parked->state, error) || !append_bytes(writer, parked->life, error) ||
        !append_bytes(writer, runs, error))
        return false;
    if (ftruncate(writer->fd, (off_t)writer->at) < 0 ||
        !write_at(writer->fd, bytes, sizeof(bytes), 0) ||
        (!parked->unsynced && fsync(writer->fd) < 0))
        return set_errno(error, errno, writer->path);
    return true;
}

static bool write_file(Writer *writer, const BerthParked *parked, GError **error)
{
    bool with_memory = !parked->with_memory && !parked->is_elsewhere;
    return reserve(writer, with_memory, error) && (!with_memory || write_memory(writer, error)) &&
           write_rest(writer, parked, error);
}

/* Give the complete file its name. */
static bool appear(gint *progress, const char *unfinished, const char *path, GError **error)
{
    if (!g_atomic_int_compare_and_exchange(progress, BERTH_PARK_WRITING, BERTH_PARK_APPEARS))
        return set_cancelled(error);
    if (rename(unfinished, path) < 0)
        return set_errno(error, errno, path);
    if (sync_directory_of(path))
        return true;
    set_errno(error, errno, path);
    unlink(path);
    return false;
}

bool berth_park_write(const char *disk, const BerthParked *parked, int memory, gint *progress,
                      guint64 *ret_size, GError **error)
{
    g_autofree char *path = berth_park_path(disk);
    g_autofree char *unfinished = unfinished_path(disk);
    g_autofree guint8 *chunk = g_malloc(CHUNK_SIZE);
    g_autoptr(GArray) runs = g_array_new(FALSE, FALSE, sizeof(Run));
    unlink(unfinished); /* of a killed keeper */
    berth_autofd int fd = open(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return set_errno(error, errno, unfinished);
    Writer writer = {.fd = fd,
                     .path = path,
                     .memory = memory,
                     .progress = progress,
                     .at = BERTH_PARK_HEADER_SIZE,
                     .runs = runs,
                     .chunk = chunk};
    bool done = write_file(&writer, parked, error) && appear(progress, unfinished, path, error);
    if (!done)
        unlink(unfinished);
    *ret_size = writer.at;
    return done;
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool set_read_errno(GError **error, const char *path)
{
    if (errno == 0)
        return set_damaged(error, path);
    berth_error_set_errno(error, errno, "park.read", "%s", path);
    return false;
}

static bool read_header(int fd, const char *path, BerthParkHeader *header, GError **error)
{
    guint8 bytes[BERTH_PARK_HEADER_SIZE];
    struct stat st;
    if (fstat(fd, &st) < 0 || !read_at(fd, bytes, sizeof(bytes), 0))
        return set_read_errno(error, path);
    switch (berth_park_header_get(bytes, (guint64)st.st_size, header)) {
    case BERTH_PARK_HEADER_GOOD:
        return true;
    case BERTH_PARK_HEADER_OTHER_VERSION:
        berth_error_set(error, BERTH_ERROR_INVALID, "park.version", NULL,
                        "%s: it is another version of berth's", path);
        return false;
    case BERTH_PARK_HEADER_DAMAGED:
        break;
    }
    return set_damaged(error, path);
}

/* NULL with errno. */
static GBytes *read_bytes(int fd, guint64 at, guint64 size)
{
    g_autofree guint8 *bytes = g_try_malloc(size > 0 ? (gsize)size : 1);
    if (bytes == NULL)
        errno = ENOMEM;
    if (bytes == NULL || !read_at(fd, bytes, (gsize)size, at))
        return NULL;
    return g_bytes_new_take(g_steal_pointer(&bytes), (gsize)size);
}

static bool read_all(int fd, const char *path, BerthParkHeader *header, BerthParked *parked,
                     GBytes **ret_runs, GError **error)
{
    if (!read_header(fd, path, header, error))
        return false;
    guint64 at = BERTH_PARK_HEADER_SIZE + header->data_size;
    g_autoptr(GBytes) state = read_bytes(fd, at, header->state_size);
    at += header->state_size;
    g_autoptr(GBytes) life = state != NULL ? read_bytes(fd, at, header->life_size) : NULL;
    at += header->life_size;
    g_autoptr(GBytes) runs =
        life != NULL ? read_bytes(fd, at, header->runs * BERTH_PARK_RUN_SIZE) : NULL;
    if (runs == NULL)
        return set_read_errno(error, path);
    if (sum_body(state, life, runs) != header->body_sum)
        return set_damaged(error, path);
    parked->with_memory = (header->flags & BERTH_PARK_WITH_MEMORY) != 0;
    parked->is_elsewhere = (header->flags & BERTH_PARK_ELSEWHERE) != 0;
    parked->memory_size = header->memory_size;
    parked->machine = header->machine;
    parked->identity = header->identity;
    parked->state = g_steal_pointer(&state);
    parked->life = g_steal_pointer(&life);
    *ret_runs = g_steal_pointer(&runs);
    return true;
}

bool berth_park_read(int fd, const char *path, BerthParked *ret_parked, GError **error)
{
    BerthParkHeader header;
    g_autoptr(GBytes) runs = NULL;
    *ret_parked = (BerthParked){0};
    return read_all(fd, path, &header, ret_parked, &runs, error);
}

int berth_park_open(const char *disk, BerthParked *ret_parked, GError **error)
{
    g_autofree char *path = berth_park_path(disk);
    berth_autofd int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    *ret_parked = (BerthParked){0};
    if (fd < 0) {
        set_read_errno(error, path);
        return -1;
    }
    return berth_park_read(fd, path, ret_parked, error) ? berth_fd_steal(&fd) : -1;
}

bool berth_park_read_size(const char *disk, BerthMachineSize *ret_size)
{
    g_autofree char *path = berth_park_path(disk);
    BerthParkHeader header;
    berth_autofd int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || !read_header(fd, path, &header, NULL))
        return false;
    *ret_size = header.machine;
    return (header.flags & BERTH_PARK_WITH_SIZE) != 0 && header.machine.memory > 0 &&
           header.machine.cpus > 0 && header.machine.cpus <= CPUS_MAX;
}

bool berth_park_check(const BerthMachine *machine, GError **error)
{
    g_auto(BerthParked) parked = {0};
    berth_autofd int fd = berth_park_open(machine->disk, &parked, error);
    return fd >= 0 && berth_park_identity_check(&parked.identity, machine, error);
}

/* Whether @run is in memory, behind those that end at @begin. */
static bool is_in_order(const Run *run, guint64 begin, guint64 memory_size)
{
    return run->length > 0 && run->length <= CHUNK_SIZE &&
           run->length % BERTH_PARK_PAGE_SIZE == 0 && run->offset % BERTH_PARK_PAGE_SIZE == 0 &&
           run->offset >= begin && run->offset < memory_size &&
           run->length <= memory_size - run->offset;
}

static bool load_run(int fd, const char *path, const Run *run, guint64 at, guint8 *chunk,
                     int memory, GError **error)
{
    if (!read_at(fd, chunk, (gsize)run->length, at))
        return set_read_errno(error, path);
    if (berth_park_sum(0, chunk, (gsize)run->length) != run->sum)
        return set_damaged(error, path);
    if (write_at(memory, chunk, (gsize)run->length, run->offset))
        return true;
    berth_error_set_errno(error, errno, "park.read", "the guest's memory");
    return false;
}

static bool load_runs(int fd, const char *path, const BerthParkHeader *header, GBytes *runs,
                      int memory, GError **error)
{
    g_autofree guint8 *chunk = g_malloc(CHUNK_SIZE);
    const guint8 *entry = g_bytes_get_data(runs, NULL);
    guint64 at = BERTH_PARK_HEADER_SIZE, begin = 0;
    for (guint64 i = 0; i < header->runs; i++, entry += BERTH_PARK_RUN_SIZE) {
        const Run run = {berth_le_get64(entry), berth_le_get64(entry + 8),
                         berth_le_get64(entry + 16)};
        if (!is_in_order(&run, begin, header->memory_size) ||
            run.length > BERTH_PARK_HEADER_SIZE + header->data_size - at)
            return set_damaged(error, path);
        if (!load_run(fd, path, &run, at, chunk, memory, error))
            return false;
        at += run.length;
        begin = run.offset + run.length;
    }
    return true;
}

bool berth_park_load(int fd, const char *path, int memory, GError **error)
{
    BerthParkHeader header;
    g_auto(BerthParked) parked = {0};
    g_autoptr(GBytes) runs = NULL;
    if (!read_all(fd, path, &header, &parked, &runs, error))
        return false;
    if (parked.is_elsewhere) {
        berth_error_set(error, BERTH_ERROR_NOT_FOUND, "park.elsewhere", NULL,
                        "the memory that it was to share is gone");
        return false;
    }
    if (ftruncate(memory, (off_t)header.memory_size) < 0) {
        berth_error_set_errno(error, errno, "park.read", "the guest's memory");
        return false;
    }
    return load_runs(fd, path, &header, runs, memory, error);
}

bool berth_park_bind(const char *disk, const BerthParkIdentity *identity, GError **error)
{
    g_autofree char *path = berth_park_path(disk);
    guint8 bytes[BERTH_PARK_HEADER_SIZE];
    BerthParkHeader header;
    berth_autofd int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return set_read_errno(error, path);
    if (!read_header(fd, path, &header, error))
        return false;
    header.identity = *identity;
    berth_park_header_put(&header, bytes);
    return write_at(fd, bytes, sizeof(bytes), 0) || set_errno(error, errno, path);
}
