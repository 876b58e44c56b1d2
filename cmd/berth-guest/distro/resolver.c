/* SPDX-License-Identifier: MIT */
#include "resolver.h"

#include "os/file.h"
#include "os/program.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESOLVER "etc/resolv.conf"
#define TEXT_MAX (WIRE_SEARCH_MAX + 256)
#define MARK     "# berth: written at every start; network.generateResolvConf=false in /etc/wsl.conf\n"

/* The file that each program reads, with the keywords before the name server and the search
 * domains; NULL if the file supports neither. */
static const struct {
    const char *path;
    const char *head;
    const char *server;
    const char *search;
} programs[] = {
    /* systemd-resolved: no network manager has told it about eth0's servers. */
    {"run/systemd/resolved.conf.d/10-berth.conf", "[Resolve]\n", "DNS=", "Domains="},
    /* NetworkManager would write the servers of its own connections; eth0 is not one of them. */
    {"run/NetworkManager/conf.d/11-berth-dns.conf", "[main]\nrc-manager=unmanaged\n"},
    /* Debian's resolvconf, and openresolv before and since 3.13: the file that an interface's
     * manager would submit. dnsmasq reads both. */
    {"run/resolvconf/interface/eth0.berth", "", "nameserver ", "search "},
    {"run/resolvconf/interfaces/eth0", "", "nameserver ", "search "},
    {"run/resolvconf/keys/eth0", "", "nameserver ", "search "},
};

/* A line of @word and @value, or "" if one of them is NULL. */
#define LINE(word, value)                                                                          \
    (word) != NULL &&*(value) != '\0' ? (word) : "", (word) != NULL ? (value) : "",                \
        (word) != NULL &&*(value) != '\0' ? "\n" : ""

static bool is_ours(int root)
{
    char line[sizeof(MARK)] = "";
    struct stat info;
    return fstatat(root, RESOLVER, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode) &&
           file_read_line_at(root, RESOLVER, line, sizeof(line)) &&
           strncmp(line, MARK, sizeof(MARK) - 2) == 0;
}

static int write_program_file(int root, const char *path, const char *text)
{
    char directory[PATH_MAX];
    snprintf(directory, sizeof(directory), "%s", path);
    int result = file_make_directories_at(root, dirname(directory), 0755);
    return result == 0 ? file_replace_at(root, path, text, 0644) : result;
}

static int write_program_files(int root, const Config *config)
{
    char text[TEXT_MAX];
    int result = 0;
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]) && result == 0; i++) {
        snprintf(text, sizeof(text), "%s%s%s%s%s%s%s", programs[i].head,
                 LINE(programs[i].server, config->nameserver),
                 LINE(programs[i].search, config->search));
        result = write_program_file(root, programs[i].path, text);
    }
    return result;
}

static int write_file(int root, const Config *config)
{
    char text[TEXT_MAX];
    snprintf(text, sizeof(text), MARK "# stops that\nnameserver %s\n%s%s%s", config->nameserver,
             LINE("search ", config->search));
    return file_replace_at(root, RESOLVER, text, 0644);
}

int resolver_prepare(int root, const Config *config, const Settings *settings)
{
    if (!settings->generate_resolv_conf) /* remove the file of an earlier start */
        return is_ours(root) && unlinkat(root, RESOLVER, 0) < 0 ? -errno : 0;
    if (config->nameserver[0] == '\0')
        return 0;
    int result = write_file(root, config);
    return result == 0 ? write_program_files(root, config) : result;
}

int resolver_update(int root, const Config *config, const Settings *settings)
{
    if (!settings->generate_resolv_conf || config->nameserver[0] == '\0')
        return 0;
    int result = is_ours(root) ? write_file(root, config) : 0;
    return result == 0 ? write_program_files(root, config) : result;
}

/* On SIGHUP systemd 256 adds the new domains to the former ones; an empty Domains= in front would
 * also clear the owner's. reset-failed clears systemd's count of starts: the host may change
 * networks more often than that allows. */
void resolver_reload(void)
{
    static const char script[] = "systemctl reset-failed systemd-resolved.service && "
                                 "exec systemctl --no-block try-restart systemd-resolved.service";
    if (access("/run/systemd/resolve", F_OK) < 0 || fork() != 0)
        return;
    program_become(-1);
    execl("/bin/sh", "sh", "-c", script, (char *)NULL);
    _exit(127);
}
