/* SPDX-License-Identifier: MIT */
#include "e2tools.h"

#include "base/error.h"
#include "base/fd.h"
#include "ext4_state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum { IMAGE_FD = 3 }; /* in the child */
#define IMAGE_PATH "/proc/self/fd/3"
#define OUTPUT_MAX ((gsize)1 << 20)

/* Exit status of e2fsck: errors were corrected. Source: e2fsck(8). */
#define E2FSCK_CORRECTED 1

/* Debian leaves sbin out of an ordinary user's PATH. */
static char *find_program(const char *name, GError **error)
{
    static const char *const directories[] = {"/usr/sbin", "/sbin", "/usr/local/sbin"};
    char *found = g_find_program_in_path(name);
    for (gsize i = 0; i < G_N_ELEMENTS(directories) && found == NULL; i++) {
        g_autofree char *path = g_build_filename(directories[i], name, NULL);
        if (g_file_test(path, G_FILE_TEST_IS_EXECUTABLE))
            found = g_steal_pointer(&path);
    }
    if (found == NULL)
        berth_error_set(error, BERTH_ERROR_NOT_FOUND, "resize.tool", "install e2fsprogs",
                        "%s is not installed", name);
    return found;
}

/* Runs in the child. Unblocks the SIGTERM of read_output; what the caller ignores stays ignored. */
static void set_up_child(gpointer data)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != GPOINTER_TO_INT(data))
        _exit(127);
}

/* Start the program with a pipe from its standard output and error. */
static bool spawn(const BerthE2Image *image, const char *const *argv, GPid *ret_pid,
                  int *ret_output, GError **error)
{
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
        berth_error_set_errno(error, errno, "resize", "pipe");
        return false;
    }
    berth_autofd int output = pipe_fds[0];
    berth_autofd int other_end = pipe_fds[1];
    g_auto(GStrv) environment = g_environ_setenv(g_get_environ(), "LC_ALL", "C", TRUE);
    const int target_fd = IMAGE_FD;
    g_autoptr(GError) problem = NULL;
    if (!g_spawn_async_with_pipes_and_fds(
            "/", argv, (const char *const *)environment, G_SPAWN_DO_NOT_REAP_CHILD, set_up_child,
            GINT_TO_POINTER(getpid()), -1, other_end, other_end, &image->fd, &target_fd, 1, ret_pid,
            NULL, NULL, NULL, &problem)) {
        berth_error_set(error, BERTH_ERROR_FAILED, "resize.failed", NULL, "%s", problem->message);
        return false;
    }
    *ret_output = berth_fd_steal(&output);
    return true;
}

static bool is_cancelled(const BerthE2Image *image)
{
    const BerthProgress nothing = {0};
    return image->progress != NULL && !image->progress(&nothing, image->user_data);
}

/* Read the program's output to its end; send SIGTERM when the user cancels. */
static char *read_output(const BerthE2Image *image, int fd, GPid pid)
{
    GString *text = g_string_new(NULL);
    char bytes[4096];
    ssize_t size;
    while ((size = read(fd, bytes, sizeof(bytes))) != 0) {
        if (size < 0 && errno != EINTR)
            break;
        if (size > 0 && text->len < OUTPUT_MAX)
            g_string_append_len(text, bytes, size);
        if (is_cancelled(image))
            kill(pid, SIGTERM);
    }
    return g_string_free(text, FALSE);
}

/* Run the program. Return its exit status, or -1 with @error; *@ret_text is its output. */
static int run(const BerthE2Image *image, const char *program, const char *const *arguments,
               char **ret_text, GError **error)
{
    g_autofree char *path = find_program(program, error);
    if (path == NULL)
        return -1;
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_ptr_array_add(argv, path);
    for (gsize i = 0; arguments[i] != NULL; i++)
        g_ptr_array_add(argv, (char *)arguments[i]);
    g_ptr_array_add(argv, NULL);

    GPid pid;
    berth_autofd int output = -1;
    if (!spawn(image, (const char *const *)argv->pdata, &pid, &output, error))
        return -1;
    *ret_text = read_output(image, output, pid);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (is_cancelled(image)) {
        berth_error_set(error, BERTH_ERROR_CANCELLED, "resize.cancelled", NULL, "cancelled");
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The reason for a failure in the output @text: the last line that begins with the program's name,
 * else the last line (stderr and stdout may be interleaved). Modifies @text. */
static const char *find_reason(char *text, const char *program)
{
    g_autofree char *mark = g_strconcat(program, ": ", NULL);
    g_strchomp(text);
    char *marked = g_strrstr(text, mark);
    char *newline = marked != NULL ? strchr(marked, '\n') : NULL;
    if (newline != NULL)
        *newline = '\0';
    if (marked != NULL)
        return marked + strlen(mark);
    newline = strrchr(text, '\n');
    return newline != NULL ? newline + 1 : text;
}

/* The programs report ENOSPC as a short write at most, so look at the file system. */
static bool is_full(const BerthE2Image *image)
{
    const guint64 needed = 1 << 20;
    struct statvfs room;
    return fstatvfs(image->fd, &room) == 0 && (guint64)room.f_bavail * room.f_frsize < needed;
}

static bool check(const BerthE2Image *image, const char *const *arguments, bool repair,
                  GError **error)
{
    g_autofree char *text = NULL;
    int status = run(image, "e2fsck", arguments, &text, error);
    if (status < 0)
        return false;
    if (status == 0 || (repair && status == E2FSCK_CORRECTED))
        return true;
    berth_error_set(error, BERTH_ERROR_INVALID, "resize.check",
                    "repair it first: e2fsck -f on the distro's disk", "%s: e2fsck: %s",
                    image->what, find_reason(text, "e2fsck"));
    return false;
}

static bool set_failed(GError **error, const BerthE2Image *image, char *text)
{
    if (is_full(image))
        berth_error_set_errno(error, ENOSPC, "resize", "%s", image->what);
    else
        berth_error_set(error, BERTH_ERROR_FAILED, "resize.failed", NULL, "%s: resize2fs: %s",
                        image->what, find_reason(text, "resize2fs"));
    return false;
}

bool berth_e2tools_check(const BerthE2Image *image, bool repair, GError **error)
{
    const char *const arguments[] = {"-f", repair ? "-p" : "-n", IMAGE_PATH, NULL};
    return check(image, arguments, repair, error);
}

bool berth_e2tools_restore(const BerthE2Image *image, GError **error)
{
    const char *const arguments[] = {"-f", "-p", "-b", "32768", "-B", "4096", IMAGE_PATH, NULL};
    return check(image, arguments, true, error);
}

bool berth_e2tools_minimum(const BerthE2Image *image, guint64 *ret_size, GError **error)
{
    static const char label[] = "minimum size of the filesystem: ";
    const char *const arguments[] = {"-P", IMAGE_PATH, NULL};
    g_autofree char *text = NULL;
    int status = run(image, "resize2fs", arguments, &text, error);
    if (status < 0)
        return false;
    const char *number = status == 0 ? strstr(text, label) : NULL;
    guint64 blocks = number != NULL ? g_ascii_strtoull(number + strlen(label), NULL, 10) : 0;
    if (blocks == 0)
        return set_failed(error, image, text);
    BerthExt4State state;
    if (!berth_ext4_state_read(image->fd, image->what, &state, error))
        return false;
    *ret_size = blocks * state.block_size;
    return true;
}

bool berth_e2tools_resize(const BerthE2Image *image, guint64 size, GError **error)
{
    g_autofree char *kibibytes = g_strdup_printf("%" G_GUINT64_FORMAT "K", size / 1024);
    /* -f: e2fsck has just checked it; resize2fs would distrust a time from the guest's clock */
    const char *const arguments[] = {"-f", IMAGE_PATH, kibibytes, NULL};
    g_autofree char *text = NULL;
    int status = run(image, "resize2fs", arguments, &text, error);
    if (status < 0)
        return false;
    return status == 0 || set_failed(error, image, text);
}
