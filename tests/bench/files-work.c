/* SPDX-License-Identifier: MIT
 *
 * files-work — file system work for tests/bench/files, to be run in a guest:
 *
 *     files-work create DIRECTORY COUNT        files of 1 to 4 KiB, 100 to a directory
 *     files-work random FILE JOBS COUNT        each job reads COUNT times 4 KiB anywhere in the file
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCK   4096
#define SIBLINGS 100

static int fail(const char *what)
{
    perror(what);
    return EXIT_FAILURE;
}

static uint64_t next(uint64_t *state) /* xorshift64 */
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static int create(const char *directory, int count)
{
    static char content[BLOCK];
    char path[4096];
    uint64_t state = 1;
    memset(content, 'x', sizeof(content));
    for (int i = 0; i < count; i++) {
        int length = snprintf(path, sizeof(path), "%s/%d", directory, i / SIBLINGS);
        if (i % SIBLINGS == 0 && mkdir(path, 0755) < 0)
            return fail(path);
        snprintf(path + length, sizeof(path) - (size_t)length, "/file-%d", i);
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
        size_t size = 1024 + (size_t)(next(&state) % 3072);
        if (fd < 0 || write(fd, content, size) != (ssize_t)size || close(fd) < 0)
            return fail(path);
    }
    return EXIT_SUCCESS;
}

static int read_blocks(const char *path, int job, int count)
{
    char block[BLOCK];
    int fd = open(path, O_RDONLY);
    uint64_t blocks = fd < 0 ? 0 : (uint64_t)lseek(fd, 0, SEEK_END) / BLOCK;
    uint64_t state = (uint64_t)job + 1;
    for (int i = 0; i < count; i++)
        if (blocks == 0 || pread(fd, block, BLOCK, (off_t)(next(&state) % blocks * BLOCK)) != BLOCK)
            return fail(path);
    return EXIT_SUCCESS;
}

static int read_randomly(const char *path, int jobs, int count)
{
    int failed = 0, status;
    for (int job = 0; job < jobs; job++)
        if (fork() == 0)
            return read_blocks(path, job, count);
    while (wait(&status) > 0)
        failed += status != 0;
    return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "create") == 0)
        return create(argv[2], atoi(argv[3]));
    if (argc == 5 && strcmp(argv[1], "random") == 0)
        return read_randomly(argv[2], atoi(argv[3]), atoi(argv[4]));
    fputs("usage: files-work (create DIRECTORY COUNT | random FILE JOBS COUNT)\n", stderr);
    return 2;
}
