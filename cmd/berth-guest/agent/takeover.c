/* SPDX-License-Identifier: MIT */
#include "takeover.h"

#include "distro/identity.h"
#include "distro/renew.h"
#include "os/entropy.h"
#include "os/file.h"
#include "os/interface.h"
#include "os/log.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SSHD_PID "/run/sshd.pid" /* of Debian's, and of OpenSSH's own default */

static void explain(const char *what, int result)
{
    if (result < 0)
        log_line("a clone keeps its source's %s: %s", what, strerror(-result));
}

/* It runs again as a new program, with the new keys, once it is thawed. */
static void renew_sshd(void)
{
    char line[32] = "";
    char path[64];
    char name[32] = "";
    long pid = file_read_line(SSHD_PID, line, sizeof(line)) ? strtol(line, NULL, 10) : 0;
    if (pid <= 1)
        return;
    snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
    if (file_read_line(path, name, sizeof(name)) && strcmp(name, "sshd") == 0)
        kill((pid_t)pid, SIGHUP);
}

static void rename_host(const AgentOptions *options, const Config *config)
{
    Config *own = options->config;
    Config next = *own;
    strcpy(next.hostname, config->hostname);
    identity_choose_hostname(&next, options->settings);
    if (strcmp(next.hostname, own->hostname) == 0)
        return;
    strcpy(own->hostname, next.hostname);
    explain("host name", identity_set_hostname(own));
    explain("/etc/hostname", identity_hostname(options->root, own, options->settings));
    explain("/etc/hosts", identity_hosts(options->root, own, options->settings));
}

static void renew(Config *own, const Config *config)
{
    if (strcmp(own->identity, config->identity) == 0)
        return;
    strcpy(own->identity, config->identity);
    explain("machine-id and host keys", renew_identity(own));
    renew_sshd();
}

static void renumber(Config *own, const Config *config)
{
    if (strcmp(own->address6, config->address6) != 0)
        network_renumber6(own->address6, config->address6);
    strcpy(own->address6, config->address6);
    strcpy(own->gateway6, config->gateway6);
    network_route6(own->gateway6);
}

void takeover_begin(const AgentOptions *options, const Config *config)
{
    if (options->in_machine)
        explain("random numbers", entropy_renew());
    if (options->config == NULL)
        return;
    rename_host(options, config);
    renew(options->config, config);
    if (options->in_machine)
        renumber(options->config, config);
}
