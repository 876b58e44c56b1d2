/* SPDX-License-Identifier: MIT */
#include "rescue_shell.h"

#include "file.h"
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define SOURCE      "/rescue/busybox"
#define BUSYBOX     RESCUE_DIRECTORY "/busybox"
#define INSTALL_SEC 20

int rescue_open(void)
{
    return open(SOURCE, O_RDONLY | O_CLOEXEC);
}

int rescue_install(int program)
{
    static const char *const argv[] = {BUSYBOX, "--install", "-s", RESCUE_DIRECTORY, NULL};
    char output[128];
    if (program < 0)
        return 0;
    int result = file_make_directories(RESCUE_DIRECTORY, 0755);
    if (result == 0)
        result = file_copy(program, BUSYBOX, 0755);
    close(program);
    if (result == 0 && symlink("busybox", RESCUE_SHELL) < 0 && errno != EEXIST)
        result = -errno;
    if (result == 0)
        program_run(argv, INSTALL_SEC, output,
                    sizeof(output)); /* on failure there is still the shell */
    return result < 0 ? result : 0;
}
