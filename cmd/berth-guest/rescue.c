/* SPDX-License-Identifier: MIT */
#include "rescue.h"

#include "file.h"
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOURCE      "/rescue/busybox"
#define BUSYBOX     RESCUE_DIRECTORY "/busybox"
#define INSTALL_SEC 20

int rescue_open(void)
{
    return open(SOURCE, O_RDONLY | O_CLOEXEC);
}

static int copy(int program)
{
    struct stat info;
    int target = open(BUSYBOX, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    if (target < 0)
        return -errno;
    int result = fstat(program, &info) < 0 ? -errno : 0;
    ssize_t sent = 1;
    for (off_t left = info.st_size; result == 0 && left > 0 && sent > 0; left -= sent)
        if ((sent = sendfile(target, program, NULL, (size_t)left)) < 0)
            result = -errno;
    close(target);
    return result;
}

int rescue_install(int program)
{
    static const char *const argv[] = {BUSYBOX, "--install", "-s", RESCUE_DIRECTORY, NULL};
    char said[128];
    if (program < 0)
        return 0;
    int result = file_make_directories(RESCUE_DIRECTORY, 0755);
    if (result == 0)
        result = copy(program);
    close(program);
    if (result == 0 && symlink("busybox", RESCUE_SHELL) < 0 && errno != EEXIST)
        result = -errno;
    if (result == 0)
        program_run(argv, INSTALL_SEC, said, sizeof(said)); /* without it there is the shell */
    return result < 0 ? result : 0;
}
