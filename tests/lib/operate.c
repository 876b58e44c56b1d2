/* SPDX-License-Identifier: MIT
 *
 * operate DIRECTORY: perform the file operations that standard input lists, one a line, below
 * DIRECTORY, and print one line for each: "0", the value that was asked for, or the errno's name.
 *
 *     USER OPERATION ARGUMENT...
 *
 * USER is "root" or "uid:gid", whose permissions hold. Words are separated by one blank. A path
 * "@empty" is "", "@bad" an address that does not exist. Modes are octal. Static, for guests that
 * have no Python; tests/lib/operation_cases.py has the lists.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX  8
#define LINE_MAX_  (1 << 16)
#define SAVED_MAX  8
#define VALUE_SIZE 8192

typedef struct {
    char path[64];
    struct stat info;
} Saved;

static int top = -1;  /* DIRECTORY */
static int self = -1; /* this program */
static int held = -1; /* the file of "hold" */
static int release_fd = -1;
static pid_t busy;
static char value[VALUE_SIZE]; /* what is printed instead of 0 */
static Saved saved[SAVED_MAX];
static int n_saved;

static const char *path_of(const char *word)
{
    if (strcmp(word, "@empty") == 0)
        return "";
    return strcmp(word, "@bad") == 0 ? (const char *)(uintptr_t)-1 : word;
}

static mode_t mode_of(const char *word)
{
    return (mode_t)strtoul(word, NULL, 8);
}

static int flags_of(const char *word)
{
    static const struct {
        const char *name;
        int flag;
    } flags[] = {{"rdonly", O_RDONLY},     {"wronly", O_WRONLY},     {"rdwr", O_RDWR},
                 {"creat", O_CREAT},       {"excl", O_EXCL},         {"trunc", O_TRUNC},
                 {"append", O_APPEND},     {"nofollow", O_NOFOLLOW}, {"directory", O_DIRECTORY},
                 {"nonblock", O_NONBLOCK}, {"path", O_PATH}};
    char copy[128];
    int result = O_CLOEXEC;
    snprintf(copy, sizeof(copy), "%s", word);
    for (char *rest = copy, *name; (name = strsep(&rest, ",")) != NULL;)
        for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
            if (strcmp(name, flags[i].name) == 0)
                result |= flags[i].flag;
    return result;
}

/* ---- the case's directory ---- */

static int open_up(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)walk;
    if (type == FTW_D || type == FTW_DNR)
        (void)chmod(path, 0700);
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static int do_enter(char **word)
{
    n_saved = 0;
    if (fchdir(top) < 0 || (mkdir(word[0], 0755) < 0 && errno != EEXIST))
        return -1;
    return chdir(word[0]);
}

static int do_leave(char **word)
{
    if (fchdir(top) < 0)
        return -1;
    (void)nftw(word[0], open_up, 16, FTW_PHYS);
    return nftw(word[0], remove_one, 16, FTW_PHYS | FTW_DEPTH);
}

/* ---- making ---- */

static int opened(int fd)
{
    return fd < 0 ? -1 : close(fd);
}

static int do_open(char **word)
{
    return opened(open(path_of(word[0]), flags_of(word[1]), mode_of(word[2])));
}

static int do_create(char **word)
{
    return opened(open(path_of(word[0]), O_CREAT | O_EXCL | O_WRONLY, mode_of(word[1])));
}

static int do_hold(char **word)
{
    if (held >= 0)
        close(held);
    held = open(path_of(word[0]), flags_of(word[1]), mode_of(word[2]));
    return held < 0 ? -1 : 0;
}

static int do_drop(char **word)
{
    (void)word;
    int result = close(held);
    held = -1;
    return result;
}

static int do_mkdir(char **word)
{
    return mkdir(path_of(word[0]), mode_of(word[1]));
}

static int do_mknod(char **word)
{
    static const char letters[] = "fpscb";
    static const mode_t types[] = {S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK};
    const char *letter = strchr(letters, *word[1]);
    return mknod(path_of(word[0]), types[letter - letters] | mode_of(word[2]), 0x0103);
}

static int do_symlink(char **word)
{
    return symlink(path_of(word[0]), path_of(word[1]));
}

static int do_link(char **word)
{
    return link(path_of(word[0]), path_of(word[1]));
}

/* ---- names ---- */

static int do_rename(char **word)
{
    return rename(path_of(word[0]), path_of(word[1]));
}

static int do_noreplace(char **word)
{
    return renameat2(AT_FDCWD, word[0], AT_FDCWD, word[1], RENAME_NOREPLACE);
}

static int do_exchange(char **word)
{
    return renameat2(AT_FDCWD, word[0], AT_FDCWD, word[1], RENAME_EXCHANGE);
}

static int do_unlink(char **word)
{
    return unlink(path_of(word[0]));
}

static int do_rmdir(char **word)
{
    return rmdir(path_of(word[0]));
}

/* ---- attributes ---- */

static int do_chmod(char **word)
{
    return chmod(path_of(word[0]), mode_of(word[1]));
}

static int do_fchmod(char **word)
{
    return fchmod(held, mode_of(word[0]));
}

static int do_chown(char **word)
{
    return chown(path_of(word[0]), (uid_t)atol(word[1]), (gid_t)atol(word[2]));
}

static int do_lchown(char **word)
{
    return lchown(path_of(word[0]), (uid_t)atol(word[1]), (gid_t)atol(word[2]));
}

static int do_fchown(char **word)
{
    return fchown(held, (uid_t)atol(word[0]), (gid_t)atol(word[1]));
}

static int do_truncate(char **word)
{
    return truncate(path_of(word[0]), atoll(word[1]));
}

static int do_ftruncate(char **word)
{
    return ftruncate(held, atoll(word[0]));
}

static struct timespec time_of(const char *word)
{
    struct timespec result = {.tv_nsec = UTIME_OMIT};
    if (strcmp(word, "now") == 0)
        result.tv_nsec = UTIME_NOW;
    else if (strcmp(word, "bad") == 0)
        result.tv_nsec = 1000000000;
    else if (strcmp(word, "omit") != 0)
        result = (struct timespec){.tv_sec = atoll(word), .tv_nsec = 123456789};
    return result;
}

static int set_times(char **word, int flags)
{
    const struct timespec times[] = {time_of(word[1]), time_of(word[2])};
    return utimensat(AT_FDCWD, path_of(word[0]), times, flags);
}

static int do_utimes(char **word)
{
    return set_times(word, 0);
}

static int do_lutimes(char **word)
{
    return set_times(word, AT_SYMLINK_NOFOLLOW);
}

static int do_access(char **word)
{
    int mode = F_OK | (strchr(word[1], 'r') ? R_OK : 0) | (strchr(word[1], 'w') ? W_OK : 0) |
               (strchr(word[1], 'x') ? X_OK : 0);
    return faccessat(AT_FDCWD, path_of(word[0]), mode, AT_EACCESS);
}

/* ---- data ---- */

static int do_allocate(char **word)
{
    errno = posix_fallocate(held, atoll(word[0]), atoll(word[1]));
    return errno != 0 ? -1 : 0;
}

static int do_write(char **word)
{
    int fd = open(path_of(word[0]), flags_of(word[1]));
    if (fd < 0 || write(fd, word[2], strlen(word[2])) < 0)
        return -1;
    return close(fd);
}

static int put_value(ssize_t size)
{
    if (size >= 0)
        value[size] = '\0';
    if (size == 0)
        strcpy(value, "@empty");
    return size < 0 ? -1 : 0;
}

static int do_read(char **word)
{
    int fd = open(path_of(word[0]), O_RDONLY);
    if (fd < 0)
        return -1;
    int result = put_value(read(fd, value, sizeof(value) - 1));
    close(fd);
    return result;
}

static int do_pread(char **word)
{
    return put_value(pread(held, value, (size_t)atol(word[1]), atoll(word[0])));
}

static int do_pwrite(char **word)
{
    return pwrite(held, word[1], strlen(word[1]), atoll(word[0])) < 0 ? -1 : 0;
}

static int do_readlink(char **word)
{
    return put_value(readlink(path_of(word[0]), value, sizeof(value) - 1));
}

/* ---- what is seen ---- */

static const char *type_name(mode_t mode)
{
    static const char *const names[16] = {[S_IFREG >> 12] = "file",    [S_IFDIR >> 12] = "dir",
                                          [S_IFLNK >> 12] = "symlink", [S_IFIFO >> 12] = "fifo",
                                          [S_IFSOCK >> 12] = "socket", [S_IFCHR >> 12] = "char",
                                          [S_IFBLK >> 12] = "block"};
    return names[(mode & S_IFMT) >> 12];
}

static void put_field(const struct stat *info, const char *field, char *at, size_t size)
{
    if (strcmp(field, "type") == 0)
        snprintf(at, size, "%s", type_name(info->st_mode));
    else if (strcmp(field, "mode") == 0)
        snprintf(at, size, "%04o", info->st_mode & 07777);
    else if (strcmp(field, "uid") == 0)
        snprintf(at, size, "%u", info->st_uid);
    else if (strcmp(field, "gid") == 0)
        snprintf(at, size, "%u", info->st_gid);
    else if (strcmp(field, "nlink") == 0)
        snprintf(at, size, "%lu", (unsigned long)info->st_nlink);
    else if (strcmp(field, "size") == 0)
        snprintf(at, size, "%lld", (long long)info->st_size);
    else if (strcmp(field, "atime") == 0)
        snprintf(at, size, "%lld.%09ld", (long long)info->st_atime, info->st_atim.tv_nsec);
    else if (strcmp(field, "mtime") == 0)
        snprintf(at, size, "%lld.%09ld", (long long)info->st_mtime, info->st_mtim.tv_nsec);
    else
        snprintf(at, size, "?%s", field);
}

static int put_fields(const struct stat *info, const char *fields)
{
    char copy[128];
    size_t used = 0;
    snprintf(copy, sizeof(copy), "%s", fields);
    for (char *rest = copy, *field; (field = strsep(&rest, ",")) != NULL;) {
        if (used > 0)
            value[used++] = ',';
        put_field(info, field, value + used, sizeof(value) - used);
        used += strlen(value + used);
    }
    return 0;
}

static int do_get(char **word)
{
    struct stat info;
    return lstat(path_of(word[0]), &info) < 0 ? -1 : put_fields(&info, word[1]);
}

static int do_stat(char **word)
{
    struct stat info;
    return stat(path_of(word[0]), &info) < 0 ? -1 : put_fields(&info, word[1]);
}

static int do_fget(char **word)
{
    struct stat info;
    return fstat(held, &info) < 0 ? -1 : put_fields(&info, word[0]);
}

/* "same" if both paths are one file. */
static int do_same(char **word)
{
    struct stat one, other;
    if (lstat(word[0], &one) < 0 || lstat(word[1], &other) < 0)
        return -1;
    snprintf(value, sizeof(value), "%s",
             one.st_ino == other.st_ino && one.st_dev == other.st_dev ? "same" : "other");
    return 0;
}

static int file_info(const char *path, struct stat *ret_info)
{
    return strcmp(path, "@held") == 0 ? fstat(held, ret_info) : lstat(path, ret_info);
}

/* Remember the times of a file, for "changes". */
static int do_remember(char **word)
{
    Saved *each = &saved[n_saved++ % SAVED_MAX];
    snprintf(each->path, sizeof(each->path), "%s", word[0]);
    return file_info(word[0], &each->info);
}

static bool later(struct timespec a, struct timespec b)
{
    return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

/* Which times of the file, by the path that was remembered last, are later: "m", "c", "mc" or "-".
 */
static int do_changes(char **word)
{
    struct stat now;
    const char *known = word[1] != NULL ? word[1] : word[0];
    if (file_info(word[0], &now) < 0)
        return -1;
    for (int i = n_saved - 1; i >= 0; i--)
        if (strcmp(saved[i % SAVED_MAX].path, known) == 0) {
            const struct stat *then = &saved[i % SAVED_MAX].info;
            snprintf(value, sizeof(value), "%s%s", later(now.st_mtim, then->st_mtim) ? "m" : "",
                     later(now.st_ctim, then->st_ctim) ? "c" : "");
            if (value[0] == '\0')
                strcpy(value, "-");
            return 0;
        }
    errno = ENODATA;
    return -1;
}

/* Wait until the file system's clock has another time than before. */
static int do_tick(char **word)
{
    (void)word;
    struct stat first, now;
    int fd = openat(top, "clock", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0 || fchmod(fd, 0600) < 0 || fstat(fd, &first) < 0)
        return -1;
    do {
        if (fchmod(fd, 0600) < 0 || fstat(fd, &now) < 0)
            return -1;
    } while (!later(now.st_ctim, first.st_ctim));
    return close(fd);
}

/* ---- a program that runs ---- */

static int copy_self(const char *path)
{
    char buffer[65536];
    ssize_t size;
    off_t at = 0;
    int from = dup(self);
    int to = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0755);
    while (from >= 0 && to >= 0 && (size = pread(from, buffer, sizeof(buffer), at)) > 0) {
        at += size;
        if (write(to, buffer, (size_t)size) != size)
            return -1;
    }
    return from < 0 || to < 0 || close(from) < 0 ? -1 : close(to);
}

/* Start a copy of this program at the path; it runs until "idle". */
static int do_busy(char **word)
{
    int wait_pipe[2], started[2];
    char byte;
    if (copy_self(word[0]) < 0 || pipe(wait_pipe) < 0 || pipe(started) < 0)
        return -1;
    busy = fork();
    if (busy == 0) {
        dup2(wait_pipe[0], STDIN_FILENO);
        dup2(started[1], STDOUT_FILENO);
        close(wait_pipe[1]);
        execl(word[0], word[0], "--wait", (char *)NULL);
        _exit(127);
    }
    close(wait_pipe[0]);
    close(started[1]);
    release_fd = wait_pipe[1];
    errno = ENOEXEC;
    int result = read(started[0], &byte, 1) == 1 ? 0 : -1;
    close(started[0]);
    return result;
}

static int do_idle(char **word)
{
    (void)word;
    close(release_fd);
    return waitpid(busy, NULL, 0) == busy ? 0 : -1;
}

static int wait_for_end(void)
{
    char byte;
    return write(STDOUT_FILENO, "r", 1) == 1 && read(STDIN_FILENO, &byte, 1) == 0 ? 0 : 1;
}

/* ---- lines ---- */

static const struct {
    const char *name;
    int words; /* at least */
    int (*function)(char **word);
} operations[] = {
    {"enter", 1, do_enter},         {"leave", 1, do_leave},       {"open", 3, do_open},
    {"create", 2, do_create},       {"hold", 3, do_hold},         {"drop", 0, do_drop},
    {"mkdir", 2, do_mkdir},         {"mknod", 3, do_mknod},       {"symlink", 2, do_symlink},
    {"link", 2, do_link},           {"rename", 2, do_rename},     {"noreplace", 2, do_noreplace},
    {"exchange", 2, do_exchange},   {"unlink", 1, do_unlink},     {"rmdir", 1, do_rmdir},
    {"chmod", 2, do_chmod},         {"fchmod", 1, do_fchmod},     {"chown", 3, do_chown},
    {"lchown", 3, do_lchown},       {"fchown", 2, do_fchown},     {"truncate", 2, do_truncate},
    {"ftruncate", 1, do_ftruncate}, {"utimes", 3, do_utimes},     {"lutimes", 3, do_lutimes},
    {"access", 2, do_access},       {"allocate", 2, do_allocate}, {"write", 3, do_write},
    {"read", 1, do_read},           {"pread", 2, do_pread},       {"pwrite", 2, do_pwrite},
    {"readlink", 1, do_readlink},   {"get", 2, do_get},           {"stat", 2, do_stat},
    {"fget", 1, do_fget},           {"same", 2, do_same},         {"remember", 1, do_remember},
    {"changes", 1, do_changes},     {"tick", 0, do_tick},         {"busy", 1, do_busy},
    {"idle", 0, do_idle},
};

/* Only root can become another user; for anybody else "root" is whoever runs this. */
static int become(const char *user)
{
    unsigned uid = 0, gid = 0;
    bool is_root = strcmp(user, "root") == 0;
    if (is_root && getuid() != 0)
        return 0;
    if (!is_root && sscanf(user, "%u:%u", &uid, &gid) != 2) {
        errno = EINVAL;
        return -1;
    }
    if (setegid(gid) < 0)
        return -1;
    return seteuid(uid);
}

static int perform(char *line)
{
    char *word[WORDS_MAX + 1] = {NULL};
    int count = 0;
    for (char *each; count < WORDS_MAX && (each = strsep(&line, " ")) != NULL;)
        word[count++] = each;
    value[0] = '\0';
    for (size_t i = 0; count >= 2 && i < sizeof(operations) / sizeof(*operations); i++)
        if (strcmp(word[1], operations[i].name) == 0 && count - 2 >= operations[i].words) {
            int result = become(word[0]) < 0 ? -1 : operations[i].function(word + 2);
            int problem = errno;
            if (become("root") < 0)
                exit(1);
            errno = problem;
            return result;
        }
    errno = ENOSYS;
    return -1;
}

int main(int argc, char **argv)
{
    char *line = malloc(LINE_MAX_);
    if (argc == 2 && strcmp(argv[1], "--wait") == 0)
        return wait_for_end();
    top = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (top < 0 || (getuid() == 0 && setgroups(0, NULL) < 0 && errno != EPERM)) {
        fprintf(stderr, "operate: %s\n", argc == 2 ? strerror(errno) : "which directory?");
        return 1;
    }
    umask(0);
    self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    while (fgets(line, LINE_MAX_, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (perform(line) < 0)
            puts(strerrorname_np(errno));
        else
            puts(value[0] != '\0' ? value : "0");
    }
    return 0;
}
