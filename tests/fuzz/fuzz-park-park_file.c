/* SPDX-License-Identifier: MIT
 *
 * A parked file with bytes of chance, whose checksums are right: it is refused, or gives no more
 * than it has; nothing outside it is read and no memory beyond its size is written.
 *
 * Input: edits of a good file, each a position and a byte, which the checksums then follow.
 */
#include "base/fd.h"
#include "base/le.h"
#include "fuzz.h"
#include "park/park_file.h"
#include "park/park_sum.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER 4096u
#define PAGE   4096u
#define RUN    24u
#define STATE  "state"
#define LIFE   "life"

/* As park_file.c lays it out: header, two pages, state, life, two runs. */
enum { DATA_SIZE = 2 * PAGE, BODY = sizeof(STATE) - 1 + sizeof(LIFE) - 1 };
enum { RUNS_AT = HEADER + DATA_SIZE + BODY, SIZE = RUNS_AT + 2 * RUN };

static void put_run(guint8 *file, guint run, guint64 offset)
{
    guint8 *at = file + RUNS_AT + run * RUN;
    berth_le_put64(at, offset);
    berth_le_put64(at + 8, PAGE);
    berth_le_put64(at + 16, berth_park_sum(0, file + HEADER + run * PAGE, PAGE));
}

static void put_header(guint8 *file)
{
    memcpy(file, "berthprk", 8);
    berth_le_put32(file + 8, 1);
    berth_le_put64(file + 16, 16 * PAGE);
    berth_le_put64(file + 24, sizeof(STATE) - 1);
    berth_le_put64(file + 32, sizeof(LIFE) - 1);
    berth_le_put64(file + 40, 2);
    berth_le_put64(file + 48, DATA_SIZE);
}

/* Of the places that an unchanged header has. */
static void put_sums(guint8 *file)
{
    guint8 *state = file + HEADER + DATA_SIZE;
    guint64 sum = berth_park_sum(0, state, sizeof(STATE) - 1);
    sum = berth_park_sum(sum, state + sizeof(STATE) - 1, sizeof(LIFE) - 1);
    berth_le_put64(file + 56, berth_park_sum(sum, file + RUNS_AT, 2 * RUN));
    berth_le_put64(file + HEADER - 8, berth_park_sum(0, file, HEADER - 8));
}

/* The first 64 bytes of the header and the runs: what else changes is only found by checksums. */
static guint place(guint8 choice)
{
    const guint header = 64;
    return choice < header ? choice : RUNS_AT + (choice - header) % (2 * RUN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static guint8 file[SIZE];
    memset(file, 'x', sizeof(file));
    memset(file, 0, HEADER);
    memcpy(file + HEADER + DATA_SIZE, STATE LIFE, BODY);
    put_header(file);
    put_run(file, 0, PAGE);
    put_run(file, 1, 5 * PAGE);
    for (size_t i = 0; i + 1 < size && i < 8; i += 2)
        file[place(data[i])] = data[i + 1];
    put_sums(file);

    struct stat st;
    g_auto(BerthParked) parked = {0};
    berth_autofd int fd = memfd_create("file", MFD_CLOEXEC);
    berth_autofd int memory = memfd_create("memory", MFD_CLOEXEC);
    g_assert_cmpint(berth_fd_write_all(fd, file, sizeof(file)), ==, 0);
    bool known = berth_park_read(fd, "file", &parked, NULL);
    g_assert_true(!known || g_bytes_get_size(parked.state) + g_bytes_get_size(parked.life) <= SIZE);
    if (!known || !berth_park_load(fd, "file", memory, NULL))
        return 0;
    g_assert_cmpint(fstat(memory, &st), ==, 0);
    g_assert_cmpuint((guint64)st.st_size, ==, parked.memory_size);
    return 0;
}
