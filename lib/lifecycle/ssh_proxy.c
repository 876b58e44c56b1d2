/* SPDX-License-Identifier: MIT */
#include "ssh_proxy.h"

#include "services.h"
#include "ssh.h"
#include "start.h"

#include "base/error.h"
#include "base/fd.h"
#include "instance/client/session_client.h"
#include "manage/ssh_config.h"
#include "manage/ssh_keys.h"
#include "wire/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    Berth *berth;
    const BerthDistro *distro;
    const char *user;
    const int *streams;
} Proxy;

/* Lines about the start, on the stream that ssh shows its user. */
static void show_notice(const Proxy *proxy, const char *notice)
{
    if (notice == NULL || proxy->berth->waiting.line == NULL)
        return;
    g_auto(GStrv) lines = g_strsplit(notice, "\n", -1);
    for (gsize i = 0; lines[i] != NULL; i++)
        proxy->berth->waiting.line(lines[i], proxy->berth->waiting.user_data);
}

static int connect_to(const Proxy *proxy, GError **error)
{
    const BerthStartOptions plain = {0};
    g_autofree char *notice = NULL;
    int fd = berth_start_connect(proxy->berth, proxy->distro->name, &plain, &notice, error);
    show_notice(proxy, notice);
    return fd;
}

/* Run the agent's program as root with @word and the user. Its status; -1 with @error. */
static int run_guest(const Proxy *proxy, const char *word, int input, int output,
                     const char *const *environment, GError **error)
{
    const char *const argv[] = {WIRE_GUEST_PROGRAM, word, proxy->user, NULL};
    const char *const without_user[] = {WIRE_GUEST_PROGRAM, word, NULL};
    bool unpack = strcmp(word, WIRE_GUEST_SSH_UNPACK) == 0;
    berth_autofd int fd = connect_to(proxy, error);
    const BerthCommand command = {.argv = unpack ? without_user : argv,
                                  .environment = environment,
                                  .user = "root",
                                  .cwd = "/",
                                  .bare = true,
                                  .input = input,
                                  .output = output,
                                  .errors = proxy->streams[STDERR_FILENO]};
    return fd >= 0 ? berth_session_client_run(fd, &command, error) : -1;
}

static bool set_no_user(const Proxy *proxy, GError **error)
{
    g_autoptr(GError) problem = NULL;
    berth_autofd int fd = connect_to(proxy, &problem);
    g_autofree char *user =
        fd >= 0 ? berth_ssh_ask_user(proxy->berth, proxy->distro, fd, &problem) : NULL;
    g_autofree char *hint =
        user != NULL ? g_strdup_printf("log in as its default user: ssh %s@%s" BERTH_SSH_SUFFIX,
                                       user, proxy->distro->name)
                     : NULL;
    berth_ssh_refresh(proxy->berth);
    berth_error_set(error, BERTH_ERROR_GUEST, "ssh.user", hint, "there is no user %s in %s",
                    proxy->user, proxy->distro->name);
    return false;
}

static bool set_no_server(const Proxy *proxy, GError **error)
{
    berth_error_set(error, BERTH_ERROR_NOT_FOUND, "ssh.no-server",
                    "install OpenSSH's server in it, or build berth where dropbear is installed",
                    "%s has no ssh server, and this berth was built without one",
                    proxy->distro->name);
    return false;
}

static bool set_status(const Proxy *proxy, int status, GError **error)
{
    g_clear_error(error);
    g_autofree char *hint =
        g_strdup_printf("if an earlier berth started it: berth terminate %s", proxy->distro->name);
    berth_error_set(error, BERTH_ERROR_GUEST, "ssh.guest", hint,
                    "the agent in %s cannot serve ssh: status %d", proxy->distro->name, status);
    return false;
}

static bool lend_server(const Proxy *proxy, GError **error)
{
    g_autofree char *path = berth_layout_ssh_server(proxy->berth->layout);
    berth_autofd int archive = open(path, O_RDONLY | O_CLOEXEC);
    if (archive < 0)
        return set_no_server(proxy, error);
    int status = run_guest(proxy, WIRE_GUEST_SSH_UNPACK, archive, proxy->streams[STDERR_FILENO],
                           NULL, error);
    return status <= 0 ? status == 0 : set_status(proxy, status, error);
}

static bool prepare_guest(const Proxy *proxy, GError **error)
{
    int nothing = proxy->streams[STDERR_FILENO];
    int status = run_guest(proxy, WIRE_GUEST_SSH_CHECK, -1, nothing, NULL, error);
    switch (status) {
    case -1:
        return false;
    case 0:
        return true;
    case WIRE_SSH_NO_USER:
        return set_no_user(proxy, error);
    case WIRE_SSH_NO_SERVER:
        return lend_server(proxy, error);
    default:
        return set_status(proxy, status, error);
    }
}

/* Once: the configuration has had a guess until now. */
static void learn_user(const Proxy *proxy)
{
    g_autofree char *known = berth_ssh_keys_user(proxy->berth->layout, proxy->distro->id);
    berth_autofd int fd = known == NULL ? connect_to(proxy, NULL) : -1;
    if (fd < 0)
        return;
    g_autofree char *user = berth_ssh_ask_user(proxy->berth, proxy->distro, fd, NULL);
    if (user != NULL)
        berth_ssh_refresh(proxy->berth);
}

static bool serve(const Proxy *proxy, const BerthSshKeys *keys, GError **error)
{
    g_autofree char *host = g_strconcat(WIRE_SSH_HOST_KEY "=", keys->host_key, NULL);
    g_autofree char *dropbear = g_strconcat(WIRE_SSH_DROPBEAR_KEY "=", keys->dropbear_key, NULL);
    g_autofree char *client = g_strconcat(WIRE_SSH_CLIENT_KEY "=", keys->public_key, "\n", NULL);
    g_auto(GStrv) pairs = berth_services_variables(proxy->berth, proxy->distro->name);
    g_autofree char *lines = g_strjoinv("\n", pairs);
    g_autofree char *offered = g_strconcat(WIRE_SSH_OFFERED "=", lines, NULL);
    const char *const environment[] = {host, dropbear, client, offered, NULL};
    int status = run_guest(proxy, WIRE_GUEST_SSH_SERVE, proxy->streams[STDIN_FILENO],
                           proxy->streams[STDOUT_FILENO], environment, error);
    g_clear_error(status >= 0 ? error : NULL); /* the server's own end is ssh's business */
    return status >= 0;
}

static char *strip_suffix(const char *name)
{
    gsize length = strlen(name), suffix = strlen(BERTH_SSH_SUFFIX);
    bool has = length > suffix && g_ascii_strcasecmp(name + length - suffix, BERTH_SSH_SUFFIX) == 0;
    return g_strndup(name, has ? length - suffix : length);
}

/* A distro may be called "x.berth" itself. */
static BerthDistro *find(Berth *berth, const char *name, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *plain = strip_suffix(name);
    BerthDistro *distro = berth_handle_find(berth, name, &problem);
    if (distro != NULL || strcmp(plain, name) == 0 ||
        !berth_error_is(problem, BERTH_ERROR_NOT_FOUND)) {
        if (distro == NULL)
            g_propagate_error(error, g_steal_pointer(&problem));
        return distro;
    }
    return berth_handle_find(berth, plain, error);
}

bool berth_ssh_proxy_run(Berth *berth, const char *name, const char *user, const int streams[3],
                         GError **error)
{
    g_autoptr(BerthDistro) distro = find(berth, name, error);
    g_autoptr(BerthSshKeys) keys =
        distro != NULL ? berth_ssh_keys_make(berth->layout, distro, error) : NULL;
    if (keys == NULL)
        return false;
    const Proxy proxy = {berth, distro, user, streams};
    if (!prepare_guest(&proxy, error))
        return false;
    learn_user(&proxy);
    return serve(&proxy, keys, error);
}
