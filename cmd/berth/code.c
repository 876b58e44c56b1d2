/* SPDX-License-Identifier: MIT
 *
 * berth code — opens the host's VS Code on a directory of a distro, by its Remote - SSH extension.
 */
#include "commands.h"

#include "base/fd.h"
#include "print.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const Option options[] = {
    {"distribution", 'd', "NAME", "Open it in this distro instead of the default one"},
    {NULL},
};

static char *find_code(GError **error)
{
    char *program = g_find_program_in_path("code");
    if (program == NULL)
        berth_error_set(error, BERTH_ERROR_NOT_FOUND, "code.missing",
                        "install Visual Studio Code, and its extension \"Remote - SSH\"",
                        "VS Code's command \"code\" is not on this host's PATH");
    return program;
}

static bool check_config(Invocation *invocation, GError **error)
{
    if (berth_ssh_config_is_added(invocation->berth))
        return true;
    berth_error_set(error, BERTH_ERROR_NOT_FOUND, "code.ssh-config",
                    "include them: berth ssh-config --install",
                    "~/.ssh/config does not include berth's distros yet");
    return false;
}

/* The line that the guest wrote into the file @fd. */
static char *read_line(int fd)
{
    char text[4097];
    ssize_t size = pread(fd, text, sizeof(text) - 1, 0);
    text[MAX(size, 0)] = '\0';
    if (g_str_has_suffix(text, "\n"))
        text[strlen(text) - 1] = '\0';
    return g_strdup(text);
}

/* Where the guest has the host's @directory; or, if it does not, @directory itself, as a path in
 * the distro. Free with g_free. */
static char *find_directory(int connection, const char *distro, const char *directory)
{
    char *shared = g_file_test(directory, G_FILE_TEST_IS_DIR)
                       ? berth_path_to_guest(connection, distro, directory, NULL)
                       : NULL;
    return shared != NULL ? shared : g_strdup(directory);
}

/* The absolute path of @directory in the distro; free with g_free. */
static char *resolve(Invocation *invocation, const char *distro, const char *directory,
                     GError **error)
{
    g_autofree char *notice = NULL;
    berth_autofd int connection = berth_connect(invocation->berth, distro, &notice, error);
    print_notice(notice);
    berth_autofd int answer = memfd_create("berth-code", MFD_CLOEXEC);
    berth_autofd int ignored = memfd_create("berth-code", MFD_CLOEXEC);
    if (connection < 0)
        return NULL;
    g_autofree char *there = find_directory(connection, distro, directory);
    const char *const argv[] = {"sh", "-c", "cd -- \"$1\" && pwd", "sh", there, NULL};
    const BerthRun run = {.argv = argv, .input = -1, .output = answer, .errors = ignored};
    int status = berth_run(connection, &run, error);
    if (status == 0)
        return read_line(answer);
    if (status > 0) {
        g_clear_error(error);
        berth_error_set(error, BERTH_ERROR_NOT_FOUND, "code.directory", NULL,
                        "cannot open the directory %s in %s as its default user", directory,
                        distro);
    }
    return NULL;
}

static int start(const char *program, const char *distro, const char *directory, GError **error)
{
    g_autofree char *remote = g_strdup_printf("ssh-remote+%s.berth", distro);
    const char *const argv[] = {"code", "--remote", remote, directory, NULL};
    execv(program, (char *const *)argv);
    berth_error_set_errno(error, errno, "code.start", "%s", program);
    return -1;
}

static int run(Invocation *invocation, GError **error)
{
    const char *directory = invocation_first(invocation);
    g_autofree char *program = find_code(error);
    if (program == NULL || !check_config(invocation, error))
        return -1;
    g_autofree char *distro =
        berth_resolve(invocation->berth, invocation_value(invocation, "distribution"), error);
    g_autofree char *path =
        distro != NULL ? resolve(invocation, distro, directory != NULL ? directory : ".", error)
                       : NULL;
    return path != NULL ? start(program, distro, path, error) : -1;
}

const Command command_code = {
    .name = "code",
    .synopsis = "[OPTION]... [DIR]",
    .completes = "dir",
    .summary = "Open a directory of a distro in VS Code",
    .details = "The command starts \"code\" on this host with the extension Remote - SSH. Set up\n"
               "ssh first: berth ssh-config --install. DIR is a directory of this host that the\n"
               "distro can see, by default the current one; otherwise it is a directory in the\n"
               "distro, relative to the user's home.",
    .max_arguments = 1,
    .options = options,
    .run = run,
};
