/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool to_kernel;

void log_to_kernel(void)
{
    int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    dup2(fd, STDERR_FILENO);
    if (fd != STDERR_FILENO)
        close(fd);
    to_kernel = true;
}

void log_line(const char *format, ...)
{
    int saved = errno;
    char line[512];
    int used = snprintf(line, sizeof(line), "%sberth-guest: ", to_kernel ? "<3>" : "");

    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + used, sizeof(line) - (size_t)used - 1, format, arguments);
    va_end(arguments);

    strcat(line, "\n");
    ssize_t written = write(STDERR_FILENO, line, strlen(line));
    (void)written; /* there is nowhere to report it */
    errno = saved;
}
