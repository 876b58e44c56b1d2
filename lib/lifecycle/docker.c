/* SPDX-License-Identifier: MIT */
#include "docker.h"

#include "reach.h"
#include "start.h"

#include "base/error.h"
#include "base/fd.h"
#include "instance/client/session_client.h"
#include "instance/control/runtime_files.h"

#include <fcntl.h>

/* Ways to install Docker, by the program that the distro has. */
static const struct {
    const char *manager;
    const char *command;
} ways[] = {
    {"apt-get", "apt-get install docker.io"},
    {"dnf", "dnf install moby-engine"},
    {"pacman", "pacman -S docker"},
    {"zypper", "zypper install docker"},
    {"apk", "apk add docker"},
};

/* A shell script: exits 0 if the socket $0 exists, otherwise with FIRST_WAY plus the index in
 * ways. */
#define FIRST_WAY 10
static const char find_way[] = "test -S \"$0\" && exit 0; n=10\n"
                               "for p in \"$@\"; do\n"
                               "command -v \"$p\" >/dev/null 2>&1 && exit $n; n=$((n+1))\n"
                               "done; exit 1";

static char *make_hint(const char *name, int status)
{
    int way = status - FIRST_WAY;
    if (way < 0 || way >= (int)G_N_ELEMENTS(ways))
        return g_strdup("use a distro with a package manager that berth knows");
    return g_strdup_printf("install one: berth run -d %s -u root -- %s", name, ways[way].command);
}

/* Report a missing daemon with a way to install it, which Docker's own client cannot do. */
static bool check_daemon(const Berth *berth, int connection, const char *name, GError **error)
{
    const char *argv[5 + G_N_ELEMENTS(ways)] = {"sh", "-c", find_way, BERTH_GUEST_DOCKER_SOCKET};
    for (gsize i = 0; i < G_N_ELEMENTS(ways); i++)
        argv[4 + i] = ways[i].manager;
    berth_autofd int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    const BerthCommand command = {.argv = argv,
                                  .user = "root",
                                  .cwd = "/",
                                  .input = -1,
                                  .output = nowhere,
                                  .errors = nowhere,
                                  .warn = berth->waiting.line,
                                  .user_data = berth->waiting.user_data};
    g_autoptr(GError) problem = NULL;
    int status = berth_session_client_run(connection, &command, &problem);
    if (status == 0)
        return true;
    if (status < 0) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    g_autofree char *hint = make_hint(name, status);
    berth_error_set(error, BERTH_ERROR_NOT_FOUND, "docker.none", hint,
                    "there is no Docker daemon at " BERTH_GUEST_DOCKER_SOCKET " in %s", name);
    return false;
}

char *berth_docker_path(Berth *berth, const char *name, char **ret_notice, GError **error)
{
    g_autoptr(BerthDistro) distro = berth_handle_find(berth, name, error);
    if (distro == NULL)
        return NULL;
    const BerthStartOptions plain = {0};
    berth_autofd int connection =
        berth_start_connect(berth, distro->name, &plain, ret_notice, error);
    if (connection < 0 || !check_daemon(berth, connection, distro->name, error))
        return NULL;
    g_autofree char *directory = berth_reach_directory(berth, distro);
    return g_build_filename(directory, BERTH_RUNTIME_DOCKER, NULL);
}
