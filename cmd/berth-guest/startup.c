/* SPDX-License-Identifier: MIT */
#include "startup.h"

#include "file.h"
#include "program.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define FSTAB "/etc/fstab"
/* A server that does not answer must not hold the boot up. */
#define MOUNT_SEC 20

/* Most images have a file of comments: not worth a process. */
static bool has_entries(void)
{
    char *text = file_read(FSTAB);
    char *rest = text;
    const char *line;
    bool found = false;
    while (!found && rest != NULL && (line = strsep(&rest, "\n")) != NULL) {
        line += strspn(line, " \t\r");
        found = *line != '\0' && *line != '#';
    }
    free(text);
    return found;
}

static void mount_all(char *problem, size_t size)
{
    char program[64];
    char said[160];
    if (!program_find("mount", program, sizeof(program)))
        return;
    const char *const argv[] = {program, "-a", NULL};
    int result = program_run(argv, MOUNT_SEC, said, sizeof(said));
    if (result == -ETIMEDOUT)
        snprintf(problem, size, "%s: mount -a did not end within %d s", FSTAB, MOUNT_SEC);
    else if (result != 0)
        snprintf(problem, size, "%s: %s", FSTAB, said[0] != '\0' ? said : "mount -a failed");
}

void startup_mount(InitKind init, const Settings *settings, char *problem, size_t size)
{
    if (init == INIT_SYSTEMD || !has_entries())
        return;
    if (init == INIT_BERTH && settings->mount_fstab)
        mount_all(problem, size);
    /* Other inits would mount all of it: they see an empty one. */
    if (init != INIT_BERTH && !settings->mount_fstab &&
        mount("/dev/null", FSTAB, NULL, MS_BIND, NULL) < 0)
        snprintf(problem, size, "%s: %s", FSTAB, strerror(errno));
}

int startup_command(InitKind init, const Settings *settings)
{
    if (settings->command == NULL || init == INIT_SYSTEMD)
        return 0;
    pid_t pid = fork();
    if (pid != 0)
        return pid < 0 ? -errno : 0;
    program_become(STDOUT_FILENO); /* the console */
    setenv("HOME", "/root", 1);
    execl("/bin/sh", "sh", "-c", settings->command, (char *)NULL);
    dprintf(STDERR_FILENO, "boot.command: /bin/sh: %s\n", strerror(errno));
    _exit(127);
}
