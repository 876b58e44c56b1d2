/* SPDX-License-Identifier: MIT
 *
 * wsl_settings — what the distro's owner has asked for in /etc/berth.conf and /etc/wsl.conf, which
 * share a grammar (conf.h) and their keys: key by key the first of the two that has it wins. And
 * what the distro's maker says in /etc/wsl-distribution.conf.
 *
 * Read once at boot. Names are compared without case. What is not understood is a warning with its
 * file and line, leaves the default in place, and stops nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SETTINGS_HOSTNAME_MAX 64

/* Strings are owned; settings_clear frees. NULL: not set. */
typedef struct {
    bool systemd;               /* hand over to it where it is the distro's init */
    bool mount_fstab;           /* mount what /etc/fstab says */
    bool generate_hosts;        /* write /etc/hosts */
    bool generate_resolv_conf;  /* write /etc/resolv.conf */
    bool follow_zone;           /* the time zone is the host's */
    uint32_t init_timeout_msec; /* how long sessions wait for the init; 0: the host decides */
    uint32_t umask;             /* of sessions */
    char *hostname;             /* as it was written; settings_clean_hostname */
    char *command;              /* for /bin/sh, run as root at every boot */
    char *user;                 /* default one of sessions, name or number */
    char *oobe_command;         /* for /bin/sh, run at the first interactive shell */
    uint32_t oobe_uid;          /* default user after that; 0: root */
    uint64_t given;             /* a bit for each row of the table that has been set */
} Settings;

typedef void (*SettingsWarn)(void *data, const char *text);

/* The defaults. */
void settings_init(Settings *settings);
void settings_clear(Settings *settings);

/* Take the file @path with the content @text, which is changed. What was given by an earlier file
 * stays. Pure but for the calls of @warn. */
void settings_parse(Settings *settings, const char *path, char *text, SettingsWarn warn,
                    void *data);

/* Take all the files there are. */
void settings_load(Settings *settings, SettingsWarn warn, void *data);

/* WSL's rules for a host name: letters, digits, - and . stay; - and . neither begin nor end it or a
 * label; at most 64 characters; "localhost" when nothing is left. */
void settings_clean_hostname(const char *text, char clean[SETTINGS_HOSTNAME_MAX + 1]);
