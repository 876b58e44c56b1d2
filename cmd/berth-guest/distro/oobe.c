/* SPDX-License-Identifier: MIT */
#include "oobe.h"

#include "account.h"

#include "os/file.h"
#include "os/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DIRECTORY "/run/berth"
#define COMMAND   DIRECTORY "/oobe"
#define USER      DIRECTORY "/oobe-user"
#define DONE      "/var/lib/berth/user" /* account.h */

int oobe_prepare(const Config *config, const Settings *settings)
{
    char user[16];
    if ((config->flags & WIRE_CONFIG_OOBE) == 0 || settings->oobe_command == NULL ||
        access(DONE, F_OK) == 0)
        return 0;
    snprintf(user, sizeof(user), "%u\n", settings->oobe_uid);
    int result = file_make_directories(DIRECTORY, 0755);
    if (result == 0)
        result = file_replace(USER, user, 0644);
    return result == 0 ? file_replace(COMMAND, settings->oobe_command, 0644) : result;
}

bool oobe_is_wanted(void)
{
    return access(COMMAND, F_OK) == 0;
}

static int run_command(const char *command)
{
    pid_t pid = fork();
    if (pid == 0) {
        setenv("PATH", PROGRAM_PATH, 1);
        setenv("HOME", "/root", 1);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        fprintf(stderr, "/bin/sh: %s\n", strerror(errno));
        _exit(127);
    }
    int status = 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool oobe_run(char user[65])
{
    char *command = file_read(COMMAND);
    if (command == NULL || !file_read_line(USER, user, 65))
        return false;
    int status = run_command(command);
    if (status != 0)
        fprintf(stderr, "the distro's first-run command \"%s\" failed; it is run again next time\n",
                command);
    free(command);
    if (status != 0 || account_mark(user) < 0)
        return false;
    unlink(COMMAND);
    return true;
}
