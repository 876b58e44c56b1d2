/* SPDX-License-Identifier: MIT
 *
 * wsl_settings — settings of the distro's owner in /etc/berth.conf and /etc/wsl.conf, which share
 * grammar (conf.h) and keys: for each key the first file that has it wins. Also those of the
 * distro's maker in /etc/wsl-distribution.conf.
 *
 * Read once at boot. Names are case-insensitive. An invalid or unknown entry causes a warning with
 * file and line and leaves the default; it is never fatal.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SETTINGS_HOSTNAME_MAX 64

/* Strings are owned; settings_clear frees. NULL: not set. */
typedef struct {
    bool systemd;               /* hand over to it where it is the distro's init */
    bool automount;             /* mount the host's directories */
    char *automount_root;       /* where, with "host" behind it; NULL: /mnt/ */
    bool mount_fstab;           /* mount what /etc/fstab says */
    bool generate_hosts;        /* write /etc/hosts */
    bool generate_resolv_conf;  /* write /etc/resolv.conf */
    bool follow_zone;           /* the time zone is the host's */
    uint32_t init_timeout_msec; /* how long sessions wait for the init; 0: the host's default */
    uint32_t umask;             /* of sessions */
    char *hostname;             /* as written; see settings_clean_hostname */
    char *command;              /* for /bin/sh, run as root at every boot */
    char *user;                 /* default user of sessions, name or UID */
    char *oobe_command;         /* for /bin/sh, run at the first interactive shell */
    uint32_t oobe_uid;          /* default user after it; 0: root */
    uint64_t given;             /* bit n: row n of the table of keys has been set */
} Settings;

typedef void (*SettingsWarn)(void *data, const char *text);

/* The defaults. */
void settings_init(Settings *settings);
void settings_clear(Settings *settings);

/* Parse @text, the content of @path, which is modified in place. Settings of earlier files are
 * kept. Pure but for the calls of @warn. */
void settings_parse(Settings *settings, const char *path, char *text, SettingsWarn warn,
                    void *data);

/* Parse all files that exist. */
void settings_load(Settings *settings, SettingsWarn warn, void *data);

/* WSL's rules for a host name: letters, digits, - and . stay; - and . neither begin nor end it or a
 * label; at most 64 characters; "localhost" when nothing is left. */
void settings_clean_hostname(const char *text, char clean[SETTINGS_HOSTNAME_MAX + 1]);
