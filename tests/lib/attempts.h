/* SPDX-License-Identifier: MIT
 *
 * attempts — actions that a sandbox must prevent. Each returns 0, or the errno that stopped it.
 */
#pragma once

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static inline int result(long value)
{
    return value < 0 ? errno : 0;
}

static inline int remove_file(void)
{
    return result(unlink("/tmp/berth-lock-test-that-is-not-there"));
}

static inline int run_program(void)
{
    return result(execl("/bin/true", "true", NULL));
}

static inline int make_process(void)
{
    return result(fork());
}

static inline int make_code(void)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? errno : 0;
}

static inline int unix_socket(void)
{
    return result(socket(AF_UNIX, SOCK_STREAM, 0));
}

static inline int type_for_the_user(void)
{
    return result(ioctl(0, TIOCSTI, "x"));
}

static inline int become_another(void)
{
    return result(setuid(0));
}
