/* SPDX-License-Identifier: MIT
 *
 * exercise FILE SEED COUNT SIDE: COUNT random operations on FILE, each compared with a model of it.
 *
 * SIDE is "alone", or "host" or "guest": two of these with the same seed take turns then, on the
 * two sides of a share. Both follow all operations in their models; each performs its own. At the
 * end of its turn a side prints "turn NUMBER" and waits for a line. The host makes the file
 * FILE.NUMBER before that; the guest waits for its event, before which all earlier changes are
 * seen. The host's first turn begins with a line, too. Exit status 1, with the last operations, at
 * the first difference.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/falloc.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX_  (300u * 1024u)
#define LENGTH_MAX (70u * 1024u)
#define LOG_SIZE   40u

enum side { ALONE, HOST, GUEST };

typedef struct {
    size_t at, length, other;
    uint8_t fill;
} Operation;

static enum side side, turn;
static const char *path;
static uint64_t state;
static unsigned number, count, turns;
static uint8_t model[FILE_MAX_], buffer[FILE_MAX_];
static size_t size;
static int fd = -1, events = -1;
static uint8_t *map;     /* FILE_MAX_ bytes of the file, as long as it is open */
static bool map_written; /* and not synced */
static bool can_zero, can_punch;
static bool was_linked; /* by the other side, in its turn */
static char lines[LOG_SIZE][96];

/* ---- chance ---- */

static uint32_t random_below(uint32_t limit)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    uint32_t mixed = (uint32_t)(((state >> 18) ^ state) >> 27);
    unsigned turned = (unsigned)(state >> 59);
    return ((mixed >> turned) | (mixed << ((32 - turned) & 31))) % limit;
}

/* Often at the edge of a page, where the mistakes are. */
static size_t random_size(uint32_t limit)
{
    size_t value = random_below(limit);
    if (random_below(4) == 0)
        value = value / 4096 * 4096;
    return random_below(8) == 0 && value > 0 ? value - 1 : value;
}

/* ---- failing ---- */

static __attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...)
{
    va_list arguments;
    int problem = errno;
    va_start(arguments, format);
    for (unsigned i = number > LOG_SIZE ? number - LOG_SIZE : 0; i < number; i++)
        fprintf(stderr, "%s\n", lines[i % LOG_SIZE]);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, " (errno %s)\n", strerrorname_np(problem));
    va_end(arguments);
    exit(1);
}

static void require(bool done, const char *what)
{
    if (!done)
        fail("%s", what);
}

static void compare(const uint8_t *found, size_t at, size_t length, const char *what)
{
    for (size_t i = 0; i < length; i++)
        if (found[i] != model[at + i])
            fail("%s: byte %zu of %zu is %02x, not %02x", what, at + i, size, found[i],
                 model[at + i]);
}

/* ---- the file ---- */

static void open_file(int flags)
{
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600);
    require(fd >= 0, "open");
    map = mmap(NULL, FILE_MAX_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    require(map != MAP_FAILED, "mmap");
}

static void sync_map(void)
{
    if (map_written)
        require(msync(map, FILE_MAX_, MS_SYNC) == 0, "msync");
    map_written = false;
}

static void close_file(void)
{
    require(munmap(map, FILE_MAX_) == 0, "munmap");
    require(close(fd) == 0, "close");
    fd = -1;
    map_written = false;
}

static void resize_model(size_t length)
{
    if (length > size)
        memset(model + size, 0, length - size);
    size = length;
}

/* What both do to their models, and "mine" to the file. */

static void do_read(const Operation *operation, bool mine)
{
    if (!mine)
        return;
    int other = operation->fill % 2 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    size_t at = operation->at, expected = at >= size ? 0 : size - at;
    ssize_t got = pread(other >= 0 ? other : fd, buffer, operation->length, (off_t)at);
    if (expected > operation->length)
        expected = operation->length;
    if (got != (ssize_t)expected)
        fail("read: %zd bytes of %zu at %zu, size %zu", got, expected, at, size);
    compare(buffer, at, expected, "read");
    if (other >= 0)
        close(other);
}

static void do_write(const Operation *operation, bool mine)
{
    size_t end = operation->at + operation->length;
    if (operation->length == 0)
        return;
    if (end > size)
        resize_model(end);
    for (size_t i = 0; i < operation->length; i++)
        model[operation->at + i] = (uint8_t)(operation->fill + i / 7);
    if (mine && pwrite(fd, model + operation->at, operation->length, (off_t)operation->at) !=
                    (ssize_t)operation->length)
        fail("write");
}

/* By a descriptor of its own, whose place is the end of the file as it is now. */
static void do_append(const Operation *operation, bool mine)
{
    size_t at = size, length = operation->length;
    if (at + length > FILE_MAX_)
        return;
    resize_model(at + length);
    memset(model + at, operation->fill, length);
    if (!mine)
        return;
    int other = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    require(other >= 0 && write(other, model + at, length) == (ssize_t)length, "append");
    require(close(other) == 0, "close after append");
}

static void do_map_read(const Operation *operation, bool mine)
{
    size_t at = operation->at, length = operation->length;
    if (!mine || at >= size)
        return;
    compare(map + at, at, at + length > size ? size - at : length, "mapping");
}

static void do_map_write(const Operation *operation, bool mine)
{
    size_t at = operation->at, length = operation->length;
    if (at >= size)
        return;
    if (at + length > size)
        length = size - at;
    memset(model + at, operation->fill, length);
    if (!mine)
        return;
    memset(map + at, operation->fill, length);
    map_written = true;
}

static void do_truncate(const Operation *operation, bool mine)
{
    size_t length = operation->at;
    resize_model(length);
    if (mine && operation->fill % 2)
        require(truncate(path, (off_t)length) == 0, "truncate");
    else if (mine)
        require(ftruncate(fd, (off_t)length) == 0, "ftruncate");
}

static void do_punch(const Operation *operation, bool mine)
{
    bool zero = operation->fill % 2;
    size_t at = operation->at, end = at + operation->length;
    if (operation->length == 0 || (zero ? !can_zero : !can_punch))
        return;
    if (at < size)
        memset(model + at, 0, (end > size ? size : end) - at);
    int mode = FALLOC_FL_KEEP_SIZE | (zero ? FALLOC_FL_ZERO_RANGE : FALLOC_FL_PUNCH_HOLE);
    if (mine)
        require(fallocate(fd, mode, (off_t)at, (off_t)operation->length) == 0, "punch");
}

static void do_allocate(const Operation *operation, bool mine)
{
    bool keep = operation->fill % 2;
    size_t end = operation->at + operation->length;
    if (operation->length == 0)
        return;
    if (!keep && end > size)
        resize_model(end);
    if (mine)
        require(fallocate(fd, keep ? FALLOC_FL_KEEP_SIZE : 0, (off_t)operation->at,
                          (off_t)operation->length) == 0,
                "fallocate");
}

static void do_copy(const Operation *operation, bool mine)
{
    size_t from = operation->at, to = operation->other, length = operation->length;
    if (from + length > size)
        length = from < size ? size - from : 0;
    if (to + length > FILE_MAX_ || (from < to + length && to < from + length) || length == 0)
        return;
    if (to + length > size)
        resize_model(to + length);
    memcpy(model + to, model + from, length);
    for (off_t in = (off_t)from, out = (off_t)to; mine && length > 0;) {
        ssize_t done = copy_file_range(fd, &in, fd, &out, length, 0);
        require(done > 0, "copy_file_range");
        length -= (size_t)done;
    }
}

static void do_reopen(const Operation *operation, bool mine)
{
    (void)operation;
    if (!mine)
        return;
    close_file();
    open_file(0);
}

static void do_sync(const Operation *operation, bool mine)
{
    if (mine && operation->fill % 2)
        sync_map();
    if (mine)
        require(fsync(fd) == 0, "fsync");
}

static void do_stat(const Operation *operation, bool mine)
{
    struct stat info;
    if (!mine)
        return;
    require((operation->fill % 2 ? stat(path, &info) : fstat(fd, &info)) == 0, "stat");
    if ((size_t)info.st_size != size)
        fail("stat: %lld bytes, not %zu", (long long)info.st_size, size);
}

static void do_rename(const Operation *operation, bool mine)
{
    char other[4096];
    snprintf(other, sizeof(other), "%s.other", path);
    was_linked = was_linked || (!mine && operation->fill % 2);
    if (!mine)
        return;
    require(rename(path, other) == 0, "rename");
    if (operation->fill % 2)
        require(link(other, path) == 0 && unlink(other) == 0, "link and unlink");
    else
        require(rename(other, path) == 0, "rename back");
}

static const struct {
    const char *name;
    void (*function)(const Operation *operation, bool mine);
    unsigned weight;
} operations[] = {
    {"read", do_read, 5},        {"write", do_write, 5},        {"append", do_append, 2},
    {"mapread", do_map_read, 4}, {"mapwrite", do_map_write, 4}, {"truncate", do_truncate, 3},
    {"punch", do_punch, 2},      {"allocate", do_allocate, 1},  {"copy", do_copy, 2},
    {"reopen", do_reopen, 2},    {"sync", do_sync, 1},          {"stat", do_stat, 2},
    {"rename", do_rename, 1},
};
#define N_OPERATIONS (sizeof(operations) / sizeof(*operations))

/* The whole file in three ways. */
static void check_all(void)
{
    const Operation named = {.length = FILE_MAX_, .fill = 1}, held = {.length = FILE_MAX_};
    do_stat(&named, true);
    do_stat(&held, true);
    do_read(&named, true);
    do_read(&held, true);
    do_map_read(&held, true);
}

static void perform_one(void)
{
    unsigned total = 0, chosen = 0;
    for (unsigned i = 0; i < N_OPERATIONS; i++)
        total += operations[i].weight;
    for (unsigned left = random_below(total); left >= operations[chosen].weight; chosen++)
        left -= operations[chosen].weight;
    Operation operation = {.at = random_size(FILE_MAX_)};
    operation.length = random_size(LENGTH_MAX);
    operation.other = random_size(FILE_MAX_);
    operation.fill = (uint8_t)random_below(256);
    if (operation.at + operation.length > FILE_MAX_)
        operation.length = FILE_MAX_ - operation.at;
    snprintf(lines[number % LOG_SIZE], sizeof(lines[0]),
             "%u %s %s at %zu length %zu other %zu fill %u size %zu", number,
             turn == ALONE  ? ""
             : turn == side ? "mine"
                            : "other's",
             operations[chosen].name, operation.at, operation.length, operation.other,
             operation.fill, size);
    number++;
    operations[chosen].function(&operation, turn == side);
}

/* ---- turns ---- */

/* Wait until the host's file of this turn was seen. */
static void wait_for_event(void)
{
    char name[32], found[65536] __attribute__((aligned(8)));
    snprintf(name, sizeof(name), ".%u", turns);
    for (;;) {
        ssize_t got = read(events, found, sizeof(found));
        require(got > 0, "inotify");
        for (ssize_t at = 0; at < got;) {
            const struct inotify_event *event = (const void *)(found + at);
            const char *end = event->len > 0 ? strrchr(event->name, '.') : NULL;
            if ((event->mask & IN_Q_OVERFLOW) != 0)
                fail("inotify: events were lost");
            if (end != NULL && strcmp(end, name) == 0)
                return;
            at += (ssize_t)(sizeof(*event) + event->len);
        }
    }
}

/* A mapping's changes are seen on the other side at the close. */
static void end_turn(void)
{
    char name[4096];
    sync_map();
    if (side == HOST) {
        close_file();
        open_file(0);
        snprintf(name, sizeof(name), "%s.%u", path, turns);
        int made = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        require(made >= 0 && close(made) == 0, "the turn's file");
    }
    printf("turn %u\n", turns);
    fflush(stdout);
}

static void wait_for_line(void)
{
    char line[64];
    require(fgets(line, sizeof(line), stdin) != NULL, "the other side has gone");
}

static void change_turn(void)
{
    turns++;
    if (turn == side)
        end_turn();
    turn = turn == HOST ? GUEST : HOST;
    if (turn != side)
        return;
    wait_for_line();
    if (side == GUEST)
        wait_for_event();
    else if (was_linked)
        do_reopen(NULL, true); /* inotify would go on to report the name that is gone */
    was_linked = false;
    check_all();
}

static bool supports(int mode)
{
    return fallocate(fd, FALLOC_FL_KEEP_SIZE | mode, 0, 4096) == 0;
}

static void start(void)
{
    char copy[4096];
    snprintf(copy, sizeof(copy), "%s", path);
    events = side == GUEST ? inotify_init1(IN_CLOEXEC) : -1;
    if (side == GUEST)
        require(inotify_add_watch(events, dirname(copy), IN_CREATE) > 0, "inotify_add_watch");
    open_file(0);
    can_punch = supports(FALLOC_FL_PUNCH_HOLE);
    can_zero = supports(FALLOC_FL_ZERO_RANGE);
    printf("can %d %d\n", can_punch, can_zero);
    fflush(stdout);
    if (side == HOST)
        wait_for_line(); /* until both are there */
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"alone", "host", "guest"};
    if (argc != 5)
        return 2;
    path = argv[1];
    state = strtoull(argv[2], NULL, 10) * 2654435761u + 12345;
    count = (unsigned)strtoul(argv[3], NULL, 10);
    for (unsigned i = 0; i < 3; i++)
        if (strcmp(argv[4], names[i]) == 0)
            side = (enum side)i;
    turn = side == ALONE ? ALONE : HOST;
    start();
    while (number < count) {
        perform_one();
        if (side != ALONE && random_below(8) == 0)
            change_turn();
    }
    if (side != ALONE)
        change_turn();
    else
        check_all();
    close_file();
    printf("done %u\n", number);
    return 0;
}
