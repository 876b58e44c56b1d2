/* SPDX-License-Identifier: MIT
 *
 * host_size — a host of another size for one program. Loaded with LD_PRELOAD.
 *
 *     HOST_SIZE_PAGES  the number of pages of memory that sysconf returns
 *     HOST_SIZE_CPUS   the number of processors that sched_getaffinity returns
 */
#include <dlfcn.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

long sysconf(int name)
{
    long (*next)(int);
    const char *pages = getenv("HOST_SIZE_PAGES");
    if (name == _SC_PHYS_PAGES && pages != NULL)
        return atol(pages);
    *(void **)&next = dlsym(RTLD_NEXT, "sysconf");
    return next(name);
}

int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
    int (*next)(pid_t, size_t, cpu_set_t *);
    const char *cpus = getenv("HOST_SIZE_CPUS");
    *(void **)&next = dlsym(RTLD_NEXT, "sched_getaffinity");
    if (cpus == NULL)
        return next(pid, size, set);
    memset(set, 0, size);
    for (int i = 0; i < atoi(cpus); i++)
        CPU_SET_S(i, size, set);
    return 0;
}
