/* SPDX-License-Identifier: MIT */
#include "housekeeping.h"

#include <stddef.h>
#include <string.h>

static const char *const timers[] = {
    "anacron.timer",
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "apt-listbugs.timer",
    "archlinux-keyring-wkd-sync.timer",
    "check-battery.timer",
    "dnf-automatic-download.timer",
    "dnf-makecache.timer",
    "dnf5-makecache.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "fstrim.timer",
    "fwupd-refresh.timer",
    "logrotate.timer",
    "man-db.timer",
    "mlocate-updatedb.timer",
    "motd-news.timer",
    "packagekit-background.timer",
    "phpsessionclean.timer",
    "plocate-updatedb.timer",
    "raid-check.timer",
    "shadow.timer",
    "snapd.snap-repair.timer",
    "sysstat-collect.timer",
    "sysstat-rotate.timer",
    "sysstat-summary.timer",
    "systemd-tmpfiles-clean.timer",
    "ua-timer.timer",
    "unbound-anchor.timer",
    "update-notifier-download.timer",
    "update-notifier-motd.timer",
    "updatedb.timer",
};

static const char *const crons[] = {
    "0anacron",
    "anacron",
    "apt-compat",
    "apt-show-versions",
    "bsdmainutils",
    "dpkg",
    "e2scrub_all",
    "google-chrome",
    "locate",
    "logrotate",
    "man-db",
    "mdadm",
    "mlocate",
    "passwd",
    "php",
    "plocate",
    "popularity-contest",
    "raid-check",
    "sysstat",
    "update-notifier-common",
};

static bool is_among(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

bool housekeeping_is_timer(const char *unit)
{
    return is_among(unit, timers, sizeof(timers) / sizeof(timers[0]));
}

bool housekeeping_is_cron(const char *name)
{
    return is_among(name, crons, sizeof(crons) / sizeof(crons[0]));
}
