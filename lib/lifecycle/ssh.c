/* SPDX-License-Identifier: MIT */
#include "ssh.h"

#include "reach.h"
#include "start.h"

#include "base/error.h"
#include "base/fd.h"
#include "instance/client/request.h"
#include "instance/client/session_client.h"
#include "manage/ssh_config.h"
#include "manage/ssh_keys.h"
#include "wire/wire.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HEAD                                                                                       \
    "# berth writes this file, and writes it again when distros change: what you change is "       \
    "lost.\n"

/* --- the default user --- */

/* All that was written into @fd, a file. */
static char *read_back(int fd)
{
    char text[256];
    ssize_t size = pread(fd, text, sizeof(text) - 1, 0);
    text[MAX(size, 0)] = '\0';
    return g_strdup(g_strchomp(text));
}

/* Names that passwd and ssh's configuration can both have. */
static bool is_user(const char *name)
{
    return name[0] != '\0' && name[0] != '-' && strpbrk(name, " \t\r\n:\"'\\#%") == NULL;
}

char *berth_ssh_ask_user(Berth *berth, const BerthDistro *distro, int fd, GError **error)
{
    static const char *const argv[] = {WIRE_GUEST_PROGRAM, WIRE_GUEST_WHOAMI, NULL};
    berth_autofd int answer = memfd_create("berth-user", MFD_CLOEXEC);
    if (answer < 0) {
        berth_error_set_errno(error, errno, "ssh", "memfd");
        return NULL;
    }
    const BerthCommand command = {
        .argv = argv, .cwd = "/", .bare = true, .input = -1, .output = answer, .errors = answer};
    int status = berth_session_client_run(fd, &command, error);
    if (status < 0)
        return NULL;
    g_autofree char *user = read_back(answer);
    if (status == 0 && is_user(user)) {
        berth_ssh_keys_set_user(berth->layout, distro->id, user);
        return g_steal_pointer(&user);
    }
    g_clear_error(error);
    g_autofree char *hint =
        g_strdup_printf("start it with this one: berth terminate %s", distro->name);
    berth_error_set(error, BERTH_ERROR_GUEST, "ssh.guest", hint,
                    "%s was started by an earlier version of berth, which has no ssh",
                    distro->name);
    return NULL;
}

/* A connection to a distro that is up; -1 without @error when it is not running. */
static int connect_running(Berth *berth, const BerthDistro *distro)
{
    berth_autofd int fd = berth_reach_connect(berth, distro, NULL);
    return fd >= 0 && berth_request_wait(fd, &berth->waiting, NULL) ? berth_fd_steal(&fd) : -1;
}

/* The user that the guest chooses where neither wsl.conf nor the distro names one. */
static char *guess_user(const BerthDistro *distro)
{
    return g_strdup(distro->account != NULL ? distro->account : "root");
}

static char *find_user(Berth *berth, const BerthDistro *distro, bool start, char **ret_notice,
                       GError **error)
{
    const BerthStartOptions plain = {0};
    g_autofree char *known = berth_ssh_keys_user(berth->layout, distro->id);
    berth_autofd int fd = connect_running(berth, distro);
    if (fd < 0 && known == NULL && start) {
        fd = berth_start_connect(berth, distro->name, &plain, ret_notice, error);
        if (fd < 0)
            return NULL;
    }
    if (fd < 0)
        return known != NULL ? g_steal_pointer(&known) : guess_user(distro);
    return berth_ssh_ask_user(berth, distro, fd, error);
}

/* --- the configuration --- */

static char *find_program(GError **error)
{
    char *program = g_file_read_link("/proc/self/exe", NULL);
    if (program != NULL && berth_ssh_config_check(program, error))
        return program;
    if (program == NULL)
        berth_error_set_errno(error, errno, "ssh", "/proc/self/exe");
    g_free(program);
    return NULL;
}

static char *make_block(const char *program, const BerthSshKeys *keys, const char *name,
                        const char *user, GError **error)
{
    const BerthSshHost host = {.name = name,
                               .user = user,
                               .program = program,
                               .client_key = keys->client_key,
                               .known_hosts = keys->known_hosts};
    return berth_ssh_config_check(keys->client_key, error) ? berth_ssh_config_host(&host) : NULL;
}

/* @ask: the guest, where it runs; @start: also where it was never asked before. */
typedef struct {
    bool ask, start;
    char **ret_notice;
} Asking;

static char *describe(Berth *berth, const BerthDistro *distro, const char *program,
                      const Asking *asking, GError **error)
{
    g_autoptr(BerthSshKeys) keys = berth_ssh_keys_make(berth->layout, distro, error);
    if (keys == NULL)
        return NULL;
    g_autofree char *user = NULL;
    if (asking->ask)
        user = find_user(berth, distro, asking->start, asking->ret_notice, error);
    else if ((user = berth_ssh_keys_user(berth->layout, distro->id)) == NULL)
        user = guess_user(distro);
    return user != NULL ? make_block(program, keys, distro->name, user, error) : NULL;
}

static char *describe_all(Berth *berth, bool ask, GError **error)
{
    const Asking asking = {.ask = ask};
    g_autofree char *program = find_program(error);
    g_autoptr(GPtrArray) distros =
        program != NULL ? berth_handle_find_all(berth, NULL, error) : NULL;
    if (distros == NULL)
        return NULL;
    g_autoptr(GString) text = g_string_new(HEAD);
    for (guint i = 0; i < distros->len; i++) {
        g_autofree char *block = describe(berth, distros->pdata[i], program, &asking, error);
        if (block == NULL)
            return NULL;
        g_string_append_printf(text, "\n%s", block);
    }
    g_autofree char *others = berth_ssh_config_others(program);
    g_string_append_printf(text, "\n%s", others);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

char *berth_ssh_text(Berth *berth, const char *name, char **ret_notice, GError **error)
{
    const Asking asking = {.ask = true, .start = true, .ret_notice = ret_notice};
    *ret_notice = NULL;
    if (name == NULL)
        return describe_all(berth, true, error);
    g_autoptr(BerthDistro) distro = berth_handle_find(berth, name, error);
    g_autofree char *program = distro != NULL ? find_program(error) : NULL;
    return program != NULL ? describe(berth, distro, program, &asking, error) : NULL;
}

/* --- the files --- */

static char *config_path(const Berth *berth)
{
    const char *home = g_environ_getenv(berth->environment, "HOME");
    return g_build_filename(home != NULL && home[0] == '/' ? home : g_get_home_dir(), ".ssh",
                            "config", NULL);
}

bool berth_ssh_install(Berth *berth, char **ret_path, char **ret_config, bool *ret_added,
                       GError **error)
{
    g_autofree char *text = describe_all(berth, true, error);
    if (text == NULL)
        return false;
    *ret_path = berth_layout_ssh_config(berth->layout);
    *ret_config = config_path(berth);
    return berth_ssh_config_install(*ret_path, text, *ret_config, ret_added, error);
}

bool berth_ssh_is_installed(Berth *berth)
{
    g_autofree char *path = berth_layout_ssh_config(berth->layout);
    g_autofree char *config = config_path(berth);
    g_autofree char *include = berth_ssh_config_include(path);
    g_autofree char *text = NULL;
    if (!g_file_test(path, G_FILE_TEST_EXISTS) || !g_file_get_contents(config, &text, NULL, NULL))
        return false;
    g_autofree char *changed = berth_ssh_config_with(text, include);
    return changed == NULL;
}

void berth_ssh_refresh(Berth *berth)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *path = berth_layout_ssh_config(berth->layout);
    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        return;
    g_autofree char *text = describe_all(berth, false, &problem);
    if ((text != NULL && berth_ssh_config_write(path, text, &problem)) ||
        berth->waiting.line == NULL)
        return;
    g_autofree char *line = g_strdup_printf(
        "%s is not up to date: %s; run berth ssh-config --install", path, problem->message);
    berth->waiting.line(line, berth->waiting.user_data);
}
