/* SPDX-License-Identifier: MIT
 *
 * Trees from one directory of this host to another, through a pipe.
 */
#include "../lib/files.h"
#include "../lib/transferring.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char *at(Transferring *test, const char *name)
{
    return transferring_path(test, name);
}

static void assert_reports(Transferring *test, const char *wanted)
{
    g_autofree char *reports = transferring_reports(test);
    g_assert_cmpstr(reports, ==, wanted);
}

/* "STEP ERROR path" as a report has it; borrowed for ever. */
static const char *report(TransferStep step, int error, const char *path)
{
    g_autofree char *text = g_strdup_printf("%u %d %s", (guint)step, error, path);
    return g_intern_string(text);
}

static void assert_same(const char *from, const char *to)
{
    g_autofree char *before = transferring_describe(from);
    g_autofree char *after = transferring_describe(to);
    g_assert_cmpstr(after, ==, before);
}

static void make_directory(const char *path, mode_t mode)
{
    g_assert_cmpint(g_mkdir(path, 0755), ==, 0);
    g_assert_cmpint(g_chmod(path, (int)mode), ==, 0);
}

static void set_times(const char *path, gint64 sec, long nsec)
{
    const struct timespec times[2] = {{sec + 1, nsec}, {sec, nsec}};
    g_assert_cmpint(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), ==, 0);
}

static void write_random(const char *path, gsize size)
{
    g_autofree guint8 *bytes = g_malloc(size);
    for (gsize i = 0; i < size; i++)
        bytes[i] = (guint8)g_test_rand_int();
    g_assert_true(g_file_set_contents(path, (char *)bytes, (gssize)size, NULL));
}

/* 6 MiB with two islands, and a hole at the end. */
static void write_holes(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(pwrite(fd, "begin", 5, 1 << 20), ==, 5);
    g_assert_cmpint(pwrite(fd, "end", 3, 4 << 20), ==, 3);
    g_assert_cmpint(ftruncate(fd, 6 << 20), ==, 0);
    close(fd);
}

/* Without a temporary name, which would be longer. */
static void make_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(write(fd, path, strlen(path)), ==, (ssize_t)strlen(path));
    close(fd);
}

static void make_names(Transferring *test)
{
    char longest[256] = "";
    memset(longest, 'n', 255);
    const char *const names[] = {
        longest, "new\nline", "\xff\xfe not UTF-8", "-r", " blank ", ".hidden", "a:b", "\xc3\xa4"};
    make_directory(at(test, "from/names"), 0755);
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(test->from, "names", names[i], NULL);
        make_file(path);
    }
    g_autofree char *deep = g_build_filename(test->from, "names", longest + 1, NULL);
    make_directory(deep, 0755);
    g_autofree char *below = g_build_filename(deep, longest, NULL);
    make_file(below);
}

static void make_links(Transferring *test)
{
    make_directory(at(test, "from/links"), 0755);
    files_write(at(test, "from/links/first"), "one file");
    g_assert_cmpint(link(at(test, "from/links/first"), at(test, "from/links/second")), ==, 0);
    g_assert_cmpint(link(at(test, "from/links/first"), at(test, "from/third")), ==, 0);
    g_assert_cmpint(symlink("../third", at(test, "from/links/symlink")), ==, 0);
    g_assert_cmpint(symlink("/nowhere at all", at(test, "from/links/dangling")), ==, 0);
    g_assert_cmpint(symlink("links", at(test, "from/to-directory")), ==, 0);
    set_times(at(test, "from/links/dangling"), 12345, 678);
}

/* Whatever a copy has to keep. */
static void make_tree(Transferring *test)
{
    make_names(test);
    make_links(test);
    files_write(at(test, "from/empty"), "");
    write_random(at(test, "from/random"), 300001);
    write_holes(at(test, "from/holes"));
    files_write(at(test, "from/private"), "mine");
    g_assert_cmpint(g_chmod(at(test, "from/private"), 0400), ==, 0);
    setxattr(at(test, "from/random"), "user.berth", "value", 5, 0);
    setxattr(at(test, "from/random"), "user.empty", "", 0, 0);
    setxattr(at(test, "from/links"), "user.directory", "d", 1, 0);
    set_times(at(test, "from/random"), 1, 999999999);
    set_times(at(test, "from/empty"), -5, 1);
    make_directory(at(test, "from/closed"), 0755);
    files_write(at(test, "from/closed/in"), "x");
    g_assert_cmpint(g_chmod(at(test, "from/closed"), 0555), ==, 0);
    make_directory(at(test, "from/sticky"), 01777);
    set_times(at(test, "from/sticky"), 1000, 0);
}

static void test_tree(Transferring *test, gconstpointer data)
{
    make_tree(test);
    g_assert_cmpint(transferring_run(test, "from", true, "to/copy"), ==, 0);
    assert_reports(test, "");
    assert_same(test->from, at(test, "to/copy"));
    g_assert_cmpint(transferring_run(test, "from", true, "to"), ==, 0);
    assert_same(test->from, at(test, "to/from"));
}

/* Over a tree that is there: files are replaced, directories stay. */
static void test_twice(Transferring *test, gconstpointer data)
{
    make_tree(test);
    g_assert_cmpint(g_chmod(at(test, "from/closed"), 0755), ==, 0); /* for who is not root */
    g_assert_cmpint(transferring_run(test, "from", true, "to/from"), ==, 0);
    g_assert_cmpint(transferring_run(test, "from", true, "to"), ==, 0);
    assert_reports(test, "");
    g_autofree char *after = transferring_describe(at(test, "to/from"));
    g_assert_null(strstr(after, ".berth-cp"));
    GStatBuf info;
    g_assert_cmpint(g_stat(at(test, "to/from/third"), &info), ==, 0);
    g_assert_cmpuint(info.st_nlink, ==, 3);
}

static void make_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    close(fd);
}

static void test_special_files(Transferring *test, gconstpointer data)
{
    make_directory(at(test, "from/f"), 0755);
    make_directory(at(test, "from/s"), 0755);
    g_assert_cmpint(mkfifo(at(test, "from/f/fifo"), 0600), ==, 0);
    make_socket(at(test, "from/s/socket"));
    files_write(at(test, "from/f/kept"), "kept");
    g_assert_cmpint(transferring_run(test, "from/f", true, "to"), ==, 0);
    assert_reports(test, report(TRANSFER_STEP_SKIPPED, 0, "from/f/fifo"));
    g_assert_cmpint(transferring_run(test, "from/s", true, "to"), ==, 0);
    assert_reports(test, report(TRANSFER_STEP_SKIPPED, 0, "from/s/socket"));
    g_assert_true(g_file_test(at(test, "to/f/kept"), G_FILE_TEST_EXISTS));
    g_assert_false(g_file_test(at(test, "to/f/fifo"), G_FILE_TEST_EXISTS));
    g_assert_cmpint(transferring_run(test, "from/f/fifo", true, "to"), ==, 0);
    assert_reports(test, report(TRANSFER_STEP_SPECIAL, 0, "from/f/fifo"));
}

static void test_file_of_proc(Transferring *test, gconstpointer data)
{
    g_autofree char *wanted = NULL;
    g_autofree char *copy = NULL;
    g_assert_true(g_file_get_contents("/proc/version", &wanted, NULL, NULL));
    const char *const paths[] = {"/proc/version", NULL};
    g_assert_cmpint(transferring_run_all(test, paths, false, test->to), ==, 0);
    g_assert_true(g_file_get_contents(at(test, "to/version"), &copy, NULL, NULL));
    g_assert_cmpstr(copy, ==, wanted);
}

/* ---- names, as cp(1) has them ---- */

typedef struct {
    const char *source;
    bool recursive;
    const char *target;
    int result;
    const char *made;   /* a regular file or symlink that is there then, or NULL */
    const char *report; /* or "" */
} Naming;

static void test_names(Transferring *test, gconstpointer data)
{
    const Naming rows[] = {
        {"from/file", false, "to", 0, "to/file", ""},
        {"from/file", false, "to/", 0, "to/file", ""},
        {"from/file", false, "to/new", 0, "to/new", ""},
        {"from/file", false, "to/new", 0, "to/new", ""},
        {"from/file", false, "to/none/", -ENOENT, NULL,
         report(TRANSFER_STEP_TARGET, ENOENT, "to/none/")},
        {"from/file", false, "to/none/file", -ENOENT, NULL,
         report(TRANSFER_STEP_TARGET, ENOENT, "to/none/file")},
        {"from/file", false, "to/new/file", -ENOTDIR, NULL,
         report(TRANSFER_STEP_TARGET, ENOTDIR, "to/new/file")},
        {"from/link", false, "to/followed", 0, "to/followed", ""},
        {"from/link", true, "to/symlink", 0, "to/symlink", ""},
        {"from/dir", false, "to/refused", 0, NULL, report(TRANSFER_STEP_DIRECTORY, 0, "from/dir")},
        {"from/none", false, "to/x", 0, NULL, report(TRANSFER_STEP_OPEN, ENOENT, "from/none")},
        {"from/dir", true, "to/copy", 0, "to/copy/in", ""},
        {"from/dir", true, "to/slash/", 0, "to/slash/in", ""},
        {"from/dir/", true, "to", 0, "to/dir/in", ""},
        {"from/dir/.", true, "to", 0, "to/in", ""},
        {"from/dir/.", true, "to/dot", 0, "to/dot/in", ""},
        {"from/dirlink/", true, "to/x", 0, "to/x/in", ""},
        {"from/dir", true, "to/new", 0, "to/new", report(TRANSFER_STEP_CREATE, ENOTDIR, "to/new")},
        {"from/file", false, "to/tolink", 0, "to/dot/file", ""},
    };
    files_write(at(test, "from/file"), "file");
    make_directory(at(test, "from/dir"), 0755);
    files_write(at(test, "from/dir/in"), "in");
    g_assert_cmpint(symlink("file", at(test, "from/link")), ==, 0);
    g_assert_cmpint(symlink("dir", at(test, "from/dirlink")), ==, 0);
    g_assert_cmpint(symlink("dot", at(test, "to/tolink")), ==, 0);
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        /* at() takes a slash at the end away */
        g_autofree char *target = g_strconcat(test->dir, "/", rows[i].target, NULL);
        g_autofree char *source = g_strconcat(test->dir, "/", rows[i].source, NULL);
        const char *const paths[] = {source, NULL};
        g_test_message("%s -> %s", rows[i].source, rows[i].target);
        g_assert_cmpint(transferring_run_all(test, paths, rows[i].recursive, target), ==,
                        rows[i].result);
        assert_reports(test, rows[i].report);
        if (rows[i].made != NULL)
            g_assert_cmpint(access(at(test, rows[i].made), F_OK), ==, 0);
    }
    g_assert_false(g_file_test(at(test, "to/followed"), G_FILE_TEST_IS_SYMLINK));
    g_assert_true(g_file_test(at(test, "to/symlink"), G_FILE_TEST_IS_SYMLINK));
}

/* ---- what fails ---- */

/* As somebody whom permissions bind. Returns whether that can be. */
static bool become_plain(Transferring *test)
{
    if (geteuid() != 0)
        return true;
    g_assert_cmpint(chown(test->to, 65534, 65534), ==, 0);
    g_assert_cmpint(chown(test->dir, 65534, 65534), ==, 0);
    return seteuid(65534) == 0;
}

static void test_unreadable(Transferring *test, gconstpointer data)
{
    make_directory(at(test, "from/a"), 0755);
    files_write(at(test, "from/a/shut"), "secret");
    files_write(at(test, "from/a/open"), "open");
    make_directory(at(test, "from/b"), 0755);
    make_directory(at(test, "from/b/closed"), 0);
    g_assert_cmpint(g_chmod(at(test, "from/a/shut"), 0), ==, 0);
    g_assert_true(become_plain(test));
    g_assert_cmpint(transferring_run(test, "from/a", true, "to"), ==, 0);
    assert_reports(test, report(TRANSFER_STEP_OPEN, EACCES, "from/a/shut"));
    g_assert_cmpint(access(at(test, "to/a/open"), F_OK), ==, 0);
    g_assert_cmpint(access(at(test, "to/a/shut"), F_OK), <, 0);
    g_assert_cmpint(transferring_run(test, "from/b", true, "to"), ==, 0);
    assert_reports(test, report(TRANSFER_STEP_OPEN, EACCES, "from/b/closed"));
    if (getuid() == 0)
        g_assert_cmpint(seteuid(0), ==, 0);
}

static void test_unwritable(Transferring *test, gconstpointer data)
{
    make_directory(at(test, "from/a"), 0755);
    files_write(at(test, "from/a/file"), "file");
    make_directory(at(test, "to/a"), 0555);
    g_assert_true(become_plain(test));
    g_assert_cmpint(transferring_run(test, "from/a", true, "to"), ==, 0);
    assert_reports(test, report(TRANSFER_STEP_CREATE, EACCES, "to/a/file"));
    if (getuid() == 0)
        g_assert_cmpint(seteuid(0), ==, 0);
}

static bool set_map(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return ok;
}

/* In a process of its own, in a name space with a file system of 1 MiB; exits 77 where that cannot
 * be. */
static void fill_small(Transferring *test)
{
    g_autofree char *users = g_strdup_printf("0 %u 1", geteuid());
    g_autofree char *groups = g_strdup_printf("0 %u 1", getegid());
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 || !set_map("/proc/self/setgroups", "deny") ||
        !set_map("/proc/self/uid_map", users) || !set_map("/proc/self/gid_map", groups) ||
        mount("none", test->to, "tmpfs", 0, "size=1m") < 0)
        _exit(77);
    int result = transferring_run(test, "from", true, "to/copy");
    g_autofree char *reports = transferring_reports(test);
    g_assert_cmpint(result, ==, -ENOSPC);
    g_assert_cmpstr(reports, ==, report(TRANSFER_STEP_WRITE, ENOSPC, "to/copy/large"));
    g_autoptr(GDir) left = g_dir_open(at(test, "to/copy"), 0, NULL);
    g_assert_null(g_dir_read_name(left));
    _exit(0);
}

static void test_full(Transferring *test, gconstpointer data)
{
    write_random(at(test, "from/large"), 3 << 20);
    pid_t pid = fork();
    int status;
    if (pid == 0)
        fill_small(test);
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        g_test_skip("no name spaces here");
        return;
    }
    g_assert_cmpint(status, ==, 0);
}

static void test_cancelled(Transferring *test, gconstpointer data)
{
    write_random(at(test, "from/large"), 1 << 20);
    files_write(at(test, "to/large"), "before");
    test->cancel_at = 1 << 19;
    g_assert_cmpint(transferring_run(test, "from/large", false, "to"), ==, -ECANCELED);
    g_autofree char *after = transferring_describe(test->to);
    g_autofree char *content = NULL;
    g_assert_null(strstr(after, ".berth-cp"));
    g_assert_true(g_file_get_contents(at(test, "to/large"), &content, NULL, NULL));
    g_assert_cmpstr(content, ==, "before");
}

static void test_too_deep(Transferring *test, gconstpointer data)
{
    int fd = open(test->from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (guint i = 0; i < TRANSFER_DEPTH_MAX + 2; i++) {
        g_assert_cmpint(mkdirat(fd, "d", 0755), ==, 0);
        int below = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(fd);
        fd = below;
    }
    close(fd);
    g_assert_cmpint(transferring_run(test, "from", true, "to/copy"), ==, 0);
    g_assert_cmpuint(test->reports->len, ==, 1);
    g_assert_true(
        g_str_has_prefix(test->reports->pdata[0], report(TRANSFER_STEP_DEPTH, 0, "from/d")));
}

#define ADD(name, function)                                                                        \
    g_test_add("/transfer/" name, Transferring, NULL, transferring_set_up, function,               \
               transferring_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    signal(SIGPIPE, SIG_IGN);
    umask(022);
    ADD("tree", test_tree);
    ADD("twice", test_twice);
    ADD("special-files", test_special_files);
    ADD("file-of-proc", test_file_of_proc);
    ADD("names", test_names);
    ADD("unreadable", test_unreadable);
    ADD("unwritable", test_unwritable);
    ADD("full", test_full);
    ADD("cancelled", test_cancelled);
    ADD("too-deep", test_too_deep);
    return g_test_run();
}
