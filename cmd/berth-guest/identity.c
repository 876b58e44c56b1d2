/* SPDX-License-Identifier: MIT */
#include "identity.h"

#include "file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOSTS_BEGIN "# berth: written at every start; network.generateHosts=false stops that\n"
#define HOSTS_END   "# berth: end\n"

#define RESOLVER_MARK                                                                              \
    "# berth: written at every start; network.generateResolvConf=false in /etc/wsl.conf\n"

void identity_choose_hostname(Config *config, const Settings *settings)
{
    if (settings->hostname != NULL)
        settings_clean_hostname(settings->hostname, config->hostname);
}

int identity_set_hostname(const Config *config)
{
    if (config->hostname[0] == '\0')
        return 0;
    return sethostname(config->hostname, strlen(config->hostname)) < 0 ? -errno : 0;
}

int identity_hostname(const Config *config, const Settings *settings)
{
    if (config->hostname[0] == '\0')
        return 0;
    char line[sizeof(config->hostname) + 1];
    snprintf(line, sizeof(line), "%s\n", config->hostname);
    return file_replace("/etc/hostname", line, 0644);
}

/* Cut our block out of @text; returns where it was, or the end. */
static char *cut_block(char *text)
{
    char *begin = strstr(text, HOSTS_BEGIN);
    if (begin == NULL)
        return text + strlen(text);
    char *end = strstr(begin, HOSTS_END);
    char *rest = end != NULL ? end + strlen(HOSTS_END) : begin + strlen(HOSTS_BEGIN);
    memmove(begin, rest, strlen(rest) + 1);
    return begin;
}

int identity_hosts(const Config *config, const Settings *settings)
{
    if (config->hostname[0] == '\0' || !settings->generate_hosts)
        return 0;

    char *old = file_read("/etc/hosts");
    if (old == NULL)
        old = strdup("");
    char *after = cut_block(old);
    bool needs_newline = after > old && after[-1] != '\n';
    char *text = NULL;
    int size = asprintf(&text,
                        "%.*s%s" HOSTS_BEGIN "127.0.0.1 localhost\n"
                        "127.0.1.1 %s\n"
                        "%s%s"
                        "::1 localhost ip6-localhost ip6-loopback\n" HOSTS_END "%s",
                        (int)(after - old), old, needs_newline ? "\n" : "", config->hostname,
                        config->gateway, config->gateway[0] != '\0' ? " host.berth.internal\n" : "",
                        after);
    int result = size < 0 ? -ENOMEM : file_replace("/etc/hosts", text, 0644);
    if (size >= 0)
        free(text);
    free(old);
    return result;
}

/* What an earlier start wrote would keep the distro's own from being used. */
static int remove_our_resolver(void)
{
    char line[sizeof(RESOLVER_MARK)] = "";
    bool ours = file_read_line("/etc/resolv.conf", line, sizeof(line)) &&
                strncmp(line, RESOLVER_MARK, sizeof(RESOLVER_MARK) - 2) == 0;
    return ours && unlink("/etc/resolv.conf") < 0 ? -errno : 0;
}

int identity_resolver(const Config *config, const Settings *settings)
{
    if (!settings->generate_resolv_conf)
        return remove_our_resolver();
    if (config->nameserver[0] == '\0')
        return 0;
    char text[256];
    snprintf(text, sizeof(text), RESOLVER_MARK "# stops that\nnameserver %s\n", config->nameserver);
    return file_replace("/etc/resolv.conf", text, 0644);
}

/* An Olson name and nothing that leads elsewhere. */
static bool is_zone(const char *name)
{
    return name[0] != '\0' && name[0] != '/' && strstr(name, "..") == NULL &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-_/") ==
               strlen(name);
}

int identity_time_zone(const Config *config, const Settings *settings)
{
    return settings->follow_zone ? identity_set_zone(config->zone) : 0;
}

int identity_set_zone(const char *zone)
{
    char target[PATH_MAX];
    char now[PATH_MAX];
    if (!is_zone(zone))
        return 0;
    snprintf(target, sizeof(target), "/usr/share/zoneinfo/%s", zone);
    if (access(target, R_OK) < 0)
        return 0; /* a small image: UTC it is */

    ssize_t size = readlink("/etc/localtime", now, sizeof(now) - 1);
    now[size > 0 ? size : 0] = '\0';
    if (strcmp(now, target) == 0)
        return 0;
    unlink("/etc/localtime.berth-new");
    if (symlink(target, "/etc/localtime.berth-new") < 0 ||
        rename("/etc/localtime.berth-new", "/etc/localtime") < 0)
        return -errno;
    if (access("/etc/timezone", F_OK) < 0) /* only Debian's family has it */
        return 0;
    snprintf(target, sizeof(target), "%s\n", zone);
    return file_replace("/etc/timezone", target, 0644);
}
