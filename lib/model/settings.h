/* SPDX-License-Identifier: MIT
 *
 * settings — what a user may choose in berth.conf, for all distros or for one.
 *
 *     [berth]
 *     memory = 4G
 *     [distro debian]
 *     cpus = 2
 *
 * One table (berth_settings_fields) names every key, its type, range, default and help; parsing,
 * checking and listing all read it. Order of strength: environment (BERTH_MEMORY for "memory",
 * hyphens as underscores), then [distro NAME], then [berth], then the default. Groups are compared
 * without case, as names are; settings_check.h names the lines that have no effect.
 */
#pragma once

#include "field.h"

G_BEGIN_DECLS

typedef enum { BERTH_ACCEL_AUTO, BERTH_ACCEL_KVM, BERTH_ACCEL_TCG } BerthAccel;

typedef struct {
    guint accel;            /* BerthAccel */
    guint64 memory;         /* of the guest, bytes; 0: half of the host's, at most 8 GiB */
    guint cpus;             /* 0: all of the host's */
    guint64 disk_size;      /* apparent size of a new image, bytes */
    guint64 cache_size;     /* of images kept for the next import, bytes; 0: none are */
    guint mtu;              /* of the guest's eth0, bytes */
    bool ports;             /* forward the guest's listening ports to localhost */
    char *resolv_conf;      /* path: the name servers that guests ask; NULL: none */
    char *ports_ignore;     /* TCP ports that are not, "22,25"; or NULL */
    char *ports_udp;        /* UDP ports that are, or NULL */
    bool ports_notify;      /* tell sessions of new ones */
    char *publish;          /* rules (rule.h), for the host's network; or NULL */
    char *host_ports;       /* of the host's loopback, open to the distro; NULL: none */
    bool isolated;          /* it reaches nothing of the host's */
    char *outbound;         /* all addresses it may reach; NULL: every one */
    bool owner_only;        /* other users of the host cannot connect to forwarded ports */
    guint boot_timeout_sec; /* until the guest's agent answers */
    guint init_timeout_sec; /* until sessions stop waiting for the guest's init */
    guint stop_timeout_sec; /* until an orderly power-off is forced */
    guint64 log_size;       /* of a distro's console log, bytes */
    char *kernel;           /* path, or NULL: the one that came with berth */
    char *emulator;         /* name on PATH or path, or NULL: the machine template's */
} BerthSettings;

extern const BerthField berth_settings_fields[];

/* Whether a setting is one for all distros together, such as the size of a cache that they share:
 * in the group of a distro it has no effect. */
bool berth_settings_is_shared(const BerthField *field);

/* The variable of the environment for the setting @key; free with g_free. */
char *berth_settings_variable(const char *key);

/* Settings for @distro (NULL: for none in particular) from the text of berth.conf (NULL: there is
 * none) and @environment ("K=V" strings, may be NULL). @origin names the file in messages.
 * Errors: BERTH_ERROR_INVALID, "config.syntax", "config.key", "config.value". */
BerthSettings *berth_settings_new(const char *distro, const char *text, const char *origin,
                                  const char *const *environment, GError **error);
void berth_settings_free(BerthSettings *settings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthSettings, berth_settings_free)

/* "auto", "kvm" or "tcg". */
const char *berth_accel_word(BerthAccel accel);

G_END_DECLS
