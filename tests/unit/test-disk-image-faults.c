/* SPDX-License-Identifier: MIT
 *
 * Imports interrupted by a limit, a failing disk, a signal: they leave nothing.
 */
#include "../lib/importing.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a child, since a limit cannot be raised again: exits 0 if the import fails as expected. */
static void import_limited(Importing *fixture, guint64 limit, const char *id)
{
    berth_autofd int fd = tarball_open(fixture->tarball);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit value = {limit, limit};
        setrlimit(RLIMIT_FSIZE, &value);
        g_autoptr(GError) error = NULL;
        bool done = make_image(fd, "x", fixture->image, IMPORTING_SIZE, NULL, NULL, &error);
        _exit(!done && strcmp(berth_error_id(error), id) == 0 &&
                      berth_error_is(error, BERTH_ERROR_NO_SPACE)
                  ? 0
                  : 1);
    }
    int status = -1;
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_cmpint(status, ==, 0);
    importing_expect_nothing_left(fixture);
}

static void test_file_size_limit(Importing *fixture, gconstpointer data)
{
    tarball_end(fixture->tarball);
    import_limited(fixture, 1 << 20, "import.create.too-big");
}

/* Make the kernel return @errnum for this call from now on, as a full or broken disk does. */
static void break_call(guint32 number, guint32 errnum)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | errnum),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = G_N_ELEMENTS(code), .filter = code};
    g_assert_cmpint(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), ==, 0);
    g_assert_cmpint(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), ==, 0);
}

typedef struct {
    guint32 call;
    guint32 errnum;
    const char *id;
    const char *message;
} BrokenCall;

/* Called first when the file system is laid out and the entries begin. */
static bool break_on_progress(const BerthProgress *progress, gpointer user_data)
{
    const BrokenCall *broken = user_data;
    if (progress->entries == 0)
        break_call(broken->call, broken->errnum);
    return true;
}

static void test_broken_disks(Importing *fixture, gconstpointer data)
{
    static const BrokenCall cases[] = {
        {__NR_pwrite64, ENOSPC, "import.unpack.no-space",
         "unpack usr/big: no space left on device"},
        {__NR_pwrite64, EDQUOT, "import.unpack.no-space", "unpack usr/big: disk quota exceeded"},
        {__NR_pwrite64, EFBIG, "import.unpack.too-big", "unpack usr/big: file too large"},
        {__NR_pwrite64, EIO, "import.unpack.io", "unpack usr/big: input/output error"},
        {__NR_fdatasync, ENOSPC, "import.create.no-space", "disk.img: no space left on device"},
        {__NR_fsync, EIO, "import.unpack.io", "finish the image: input/output error"},
    };
    g_autofree guint8 *noise = g_malloc(4 << 20);
    memset(noise, 'n', 4 << 20);
    TARBALL_ADD(fixture->tarball, .path = "usr/big", .data = noise, .size = 4 << 20);
    tarball_end(fixture->tarball);

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        berth_autofd int fd = tarball_open(fixture->tarball);
        pid_t child = fork();
        if (child == 0) {
            g_autoptr(GError) error = NULL;
            bool done = make_image(fd, "x", fixture->image, IMPORTING_SIZE, break_on_progress,
                                   (gpointer)&cases[i], &error);
            bool right = !done && strcmp(berth_error_id(error), cases[i].id) == 0 &&
                         strstr(error->message, cases[i].message) != NULL;
            if (!right)
                g_printerr("%s\n", done ? "it worked" : error->message);
            _exit(right ? 0 : 1);
        }
        int status = -1;
        g_assert_cmpint(waitpid(child, &status, 0), ==, child);
        g_assert_cmpint(status, ==, 0);
        importing_expect_nothing_left(fixture);
    }
}

static void test_size_is_halved_down_to_the_limit(Importing *fixture, gconstpointer data)
{
    tarball_end(fixture->tarball);
    berth_autofd int fd = tarball_open(fixture->tarball);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit value = {G_GUINT64_CONSTANT(100) << 30, G_GUINT64_CONSTANT(100) << 30};
        setrlimit(RLIMIT_FSIZE, &value);
        BerthImageReport report = {0};
        bool done = make_image_report(fd, "x", fixture->image, BERTH_IMAGE_SIZE_DEFAULT, NULL, NULL,
                                      &report, NULL);
        _exit(done && report.size == G_GUINT64_CONSTANT(64) << 30 ? 0 : 1);
    }
    int status = -1;
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_cmpint(status, ==, 0);
    oracle_check(fixture->image);
}

static void test_killed_import_leaves_nothing(Importing *fixture, gconstpointer data)
{
    int ends[2];
    int ready[2];
    g_assert_cmpint(pipe(ends), ==, 0);
    g_assert_cmpint(pipe(ready), ==, 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends[1]);
        close(ready[0]);
        make_image(ends[0], "-", fixture->image, IMPORTING_SIZE, NULL, NULL, NULL);
        _exit(1);
    }
    close(ends[0]);
    close(ready[1]);

    /* More than pipe and reader buffer, so that the child is in the middle when the last write
     * returns. */
    g_autofree guint8 *noise = g_malloc(4 << 20);
    memset(noise, 'n', 4 << 20);
    TARBALL_ADD(fixture->tarball, .path = "big", .data = noise, .size = 4 << 20);
    g_assert_cmpint(berth_fd_write_all(ends[1], fixture->tarball->data, fixture->tarball->len), ==,
                    0);
    kill(child, SIGKILL);
    g_assert_cmpint(waitpid(child, NULL, 0), ==, child);
    close(ends[1]);
    close(ready[0]);
    importing_expect_nothing_left(fixture);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    IMPORTING_ADD("/disk/image-faults/file-size-limit", test_file_size_limit);
    IMPORTING_ADD("/disk/image-faults/broken-disks", test_broken_disks);
    IMPORTING_ADD("/disk/image-faults/size-is-halved-down-to-the-limit",
                  test_size_is_halved_down_to_the_limit);
    IMPORTING_ADD("/disk/image-faults/killed-import-leaves-nothing",
                  test_killed_import_leaves_nothing);
    return g_test_run();
}
