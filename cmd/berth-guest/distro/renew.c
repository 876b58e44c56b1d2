/* SPDX-License-Identifier: MIT */
#include "renew.h"

#include "os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATE   "/var/lib/berth"
#define MARK    STATE "/identity"
#define STAGING STATE "/new-keys" /* root directory passed to ssh-keygen -f */
#define SSH     "/etc/ssh"
#define KEYGEN  "/usr/bin/ssh-keygen"
/* RSA keys take seconds under emulation; a hanging program must not block the boot. */
#define KEYGEN_CPU_SEC 60

/* ---- machine-id ---- */

/* 128 random bits as a version 4 UUID. Source: machine-id(5), RFC 9562 section 5.4. */
static int make_machine_id(char text[34])
{
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return -EIO;
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    strcpy(text + 32, "\n");
    return 0;
}

/* Whether @path holds an id. The distro itself fills an empty file or systemd's "uninitialized". */
static bool has_id(const char *path)
{
    struct stat info;
    char line[64] = "";
    return lstat(path, &info) == 0 && S_ISREG(info.st_mode) &&
           file_read_line(path, line, sizeof(line)) && strlen(line) == 32;
}

static int renew_machine_id(void)
{
    static const char *const paths[] = {"/etc/machine-id", "/var/lib/dbus/machine-id"};
    char id[34];
    int result = make_machine_id(id);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]) && result == 0; i++)
        if (has_id(paths[i]))
            result = file_replace(paths[i], id, 0444);
    return result;
}

/* ---- ssh host keys ---- */

static bool is_host_key(const char *name)
{
    return fnmatch("ssh_host_*_key", name, 0) == 0 || fnmatch("ssh_host_*_key.pub", name, 0) == 0;
}

/* Call @function with the paths of every host key in @directory. 0, or the first -errno. */
static int each_key(const char *directory, int (*function)(const char *path, const char *name))
{
    DIR *keys = opendir(directory);
    int result = 0;
    if (keys == NULL)
        return errno == ENOENT ? 0 : -errno;
    for (struct dirent *entry; result == 0 && (entry = readdir(keys)) != NULL;) {
        char path[512];
        snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        if (is_host_key(entry->d_name))
            result = function(path, entry->d_name);
    }
    closedir(keys);
    return result;
}

static int remove_key(const char *path, const char *name)
{
    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

static int remove_unless_renewed(const char *path, const char *name)
{
    char renewed[512];
    snprintf(renewed, sizeof(renewed), STAGING SSH "/%s", name);
    return access(renewed, F_OK) == 0 ? 0 : remove_key(path, name);
}

static int install_key(const char *path, const char *name)
{
    char installed[512];
    snprintf(installed, sizeof(installed), SSH "/%s", name);
    return rename(path, installed) < 0 ? -errno : 0;
}

static int run_keygen(void)
{
    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0) {
        const struct rlimit limit = {KEYGEN_CPU_SEC, KEYGEN_CPU_SEC};
        setrlimit(RLIMIT_CPU, &limit);
        execl(KEYGEN, KEYGEN, "-q", "-A", "-f", STAGING, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

/* Generate all keys first, then replace each old one, so that sshd always finds one. Remove keys of
 * types that are no longer generated. */
static int renew_host_keys(void)
{
    if (access(SSH "/sshd_config", F_OK) < 0) /* no server */
        return each_key(SSH, remove_key);
    int result = each_key(STAGING SSH, remove_key);
    if (result == 0 && access(KEYGEN, X_OK) == 0) {
        result = file_make_directories(STAGING SSH, 0700);
        if (result == 0)
            result = run_keygen();
    }
    if (result == 0)
        result = each_key(SSH, remove_unless_renewed);
    return result == 0 ? each_key(STAGING SSH, install_key) : result;
}

/* ---- the complete renewal ---- */

static int remove_random_seed(void)
{
    static const char path[] = "/var/lib/systemd/random-seed";
    return unlink(path) < 0 && errno != ENOENT && errno != ENOTDIR ? -errno : 0;
}

int renew_identity(const Config *config)
{
    static int (*const steps[])(void) = {renew_host_keys, renew_machine_id, remove_random_seed};
    char mark[80] = "";
    if (config->identity[0] == '\0' ||
        (file_read_line(MARK, mark, sizeof(mark)) && strcmp(mark, config->identity) == 0))
        return 0;
    int result = 0;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && result == 0; i++)
        result = steps[i]();
    return result == 0 ? file_mark(STATE, "identity", config->identity) : result;
}
