/* SPDX-License-Identifier: MIT */
#include "sshd.h"

#include "agent/environment.h"
#include "distro/user.h"
#include "os/file.h"
#include "os/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY       "/run/berth/sshd"
#define CONFIG          DIRECTORY "/config"
#define HOST_KEY        DIRECTORY "/host_key"
#define AUTHORIZED_KEYS DIRECTORY "/authorized_keys"

#define CHECK_SEC 30 /* for sshd to read its configuration */

/* Debian's sshd wants it, and its unit makes it. Other distros have it in the package. */
#define SEPARATION "/run/sshd"

/* StrictModes looks at the permissions of all parents, which are not the user's business here. */
static const char config[] =
    "# berth writes this file: it applies only to ssh connections from this machine's host.\n"
    "HostKey " HOST_KEY "\n"
    "AuthorizedKeysFile " AUTHORIZED_KEYS "\n"
    "StrictModes no\n"
    "PasswordAuthentication no\n"
    "KbdInteractiveAuthentication no\n"
    "PermitRootLogin prohibit-password\n"
    "UsePAM yes\n"
    "PrintMotd no\n"
    "AcceptEnv LANG LC_* COLORTERM\n"
    "LogLevel ERROR\n"
    "PidFile none\n"
    "Subsystem sftp internal-sftp\n";

const char *sshd_find(void)
{
    static const char *const places[] = {"/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd",
                                         "/sbin/sshd", "/run/current-system/sw/bin/sshd"};
    if (access("/etc/pam.d/sshd", F_OK) < 0 && access("/usr/lib/pam.d/sshd", F_OK) < 0)
        return NULL;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    return NULL;
}

static int prepare(const SshRequest *request, const char **ret_what)
{
    const struct {
        const char *path, *text;
        mode_t mode;
    } files[] = {
        {CONFIG, config, 0644},
        {HOST_KEY, request->host_key, 0600},
        {AUTHORIZED_KEYS, request->client_key, 0644},
    };
    *ret_what = DIRECTORY;
    int result = file_make_directories(DIRECTORY, 0755);
    for (size_t i = 0; result == 0 && i < sizeof(files) / sizeof(files[0]); i++) {
        *ret_what = files[i].path;
        result = file_replace(files[i].path, files[i].text, files[i].mode);
    }
    mkdir(SEPARATION, 0755);
    return result;
}

/* "SetEnv A=b C=d" of what is offered to the request's user; NULL: nothing is. */
static char *make_option(const SshRequest *request)
{
    User user;
    char *option = NULL;
    char **pairs = request_lines(request->offered);
    bool known = user_find(request->user, &user);
    for (; known && pairs != NULL && *pairs != NULL; pairs++) {
        char *longer;
        if (environment_serves(&user, *pairs) &&
            asprintf(&longer, "%s %s", option != NULL ? option : "SetEnv", *pairs) >= 0)
            option = longer;
    }
    return option;
}

/* OpenSSH has SetEnv from 7.8 on, and an older one would not serve at all. */
static bool takes_option(const char *path, const char *option)
{
    char line[256];
    const char *const argv[] = {path, "-t", "-f", CONFIG, "-o", option, NULL};
    return option != NULL && program_run(argv, CHECK_SEC, line, sizeof(line)) == 0;
}

int sshd_exec(const char *path, const SshRequest *request, const char **ret_what)
{
    const char *argv[] = {path, "-i", "-e", "-f", CONFIG, NULL, NULL, NULL};
    const char *const environment[] = {"PATH=" PROGRAM_PATH, NULL};
    int result = prepare(request, ret_what);
    if (result < 0)
        return result;
    const char *option = make_option(request);
    if (takes_option(path, option)) {
        argv[5] = "-o";
        argv[6] = option;
    }
    *ret_what = path;
    execve(path, (char *const *)argv, (char *const *)environment);
    return -errno;
}
