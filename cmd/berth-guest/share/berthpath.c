/* SPDX-License-Identifier: MIT */
#include "berthpath.h"

#include "os/file.h"
#include "paths/path_map.h"
#include "paths/path_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME   BERTHPATH_NAME
#define TABLE  "/run/berth/shares" /* the payload of WIRE_SHARES */
#define USAGE  2
#define FAILED 1

int berthpath_set_shares(const WireFrame *frame)
{
    int fd = open(TABLE ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return -errno;
    int result = file_write_all(fd, (const char *)frame->payload, frame->size);
    close(fd);
    if (result == 0 && rename(TABLE ".new", TABLE) < 0)
        result = -errno;
    return result;
}

/* ---- the table ---- */

typedef struct {
    uint8_t bytes[WIRE_PAYLOAD_MAX];
    char **paths; /* into @bytes: of the host and the guest by turns */
    PathPair *pairs;
    size_t count;
} Table;

/* @table has no pairs where there is no table. */
static bool read_table(Table *table)
{
    int fd = open(TABLE, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? read(fd, table->bytes, sizeof(table->bytes)) : -1;
    if (fd >= 0)
        close(fd);
    const WireFrame frame = {.payload = table->bytes, .size = size > 0 ? (uint32_t)size : 0};
    WireReader reader;
    wire_reader_init(&reader, &frame);
    table->paths = size > 0 ? wire_get_list(&reader) : NULL;
    size_t strings = 0;
    while (table->paths != NULL && table->paths[strings] != NULL)
        strings++;
    table->count = strings / 2;
    table->pairs = calloc(table->count + 1, sizeof(PathPair));
    for (size_t i = 0; table->pairs != NULL && i < table->count; i++)
        table->pairs[i] = (PathPair){{table->paths[2 * i], table->paths[2 * i + 1]}};
    return table->pairs != NULL;
}

/* ---- translating ---- */

__attribute__((format(printf, 1, 2))) static int fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs(NAME ": ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return FAILED;
}

/* The working directory as side @side has it; NULL after a message. */
static char *find_base(const Table *table, PathSide side, const char *path)
{
    char *here = path[0] == '/' ? strdup("/") : getcwd(NULL, 0);
    if (here == NULL) {
        fail("the current directory: %s", strerror(errno));
        return NULL;
    }
    if (side == PATH_IN_GUEST || path[0] == '/')
        return here;
    char *there = path_map(table->pairs, table->count, PATH_IN_GUEST, here);
    if (there == NULL)
        fail("%s is not on the host", here);
    free(here);
    return there;
}

static int translate(const Table *table, PathSide from, const char *path)
{
    char *base = find_base(table, from, path);
    if (base == NULL)
        return FAILED;
    char *whole = from == PATH_IN_GUEST ? path_resolve(base, path) : path_clean(base, path);
    char *mapped = whole != NULL ? path_map(table->pairs, table->count, from, whole) : NULL;
    free(base);
    int status = EXIT_SUCCESS;
    if (mapped != NULL)
        puts(mapped);
    else
        status = from == PATH_IN_GUEST ? fail("%s is not on the host", whole != NULL ? whole : path)
                                       : fail("%s of the host is not shared with this distro",
                                              whole != NULL ? whole : path);
    free(whole);
    free(mapped);
    return status;
}

static int usage(FILE *to)
{
    fputs("usage: " NAME " [-u | -w | -m] [-a] PATH\n"
          "Print where this distro has PATH of the host (-u, the default), or where the host has\n"
          "PATH of this distro (-w, -m). PATH need not exist; the result is absolute (-a).\n",
          to);
    return to == stdout ? EXIT_SUCCESS : USAGE;
}

int berthpath_run(int argc, char **argv)
{
    static Table table;
    PathSide from = PATH_ON_HOST;
    int option;
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(stdout);
    while ((option = getopt(argc, argv, "uwma")) != -1) {
        if (option == '?')
            return usage(stderr);
        if (option != 'a')
            from = option == 'u' ? PATH_ON_HOST : PATH_IN_GUEST;
    }
    if (optind != argc - 1)
        return usage(stderr);
    if (!read_table(&table))
        return fail("out of memory");
    if (table.count == 0)
        return fail("this distro sees no directory of the host");
    int status = translate(&table, from, argv[optind]);
    return fflush(stdout) == 0 ? status : fail("standard output: %s", strerror(errno));
}
