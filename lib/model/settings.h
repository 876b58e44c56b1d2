/* SPDX-License-Identifier: MIT
 *
 * settings — the user's settings in berth.conf, for all distros or for one.
 *
 *     [berth]
 *     memory = 4G
 *     [distro debian]
 *     cpus = 2
 *
 * One table (berth_settings_fields) lists every key with type, range, default and help, for
 * parsing, checking and listing. Precedence: environment (BERTH_MEMORY for "memory", hyphens as
 * underscores), then [distro NAME], then [berth], then the default. Groups are compared without
 * case, as names are; settings_check.h reports lines without effect.
 */
#pragma once

#include "fields.h"

G_BEGIN_DECLS

typedef enum { BERTH_ACCEL_AUTO, BERTH_ACCEL_KVM, BERTH_ACCEL_TCG } BerthAccel;

/* What a keeper does with an idle distro. */
typedef enum { BERTH_IDLE_SUSPEND, BERTH_IDLE_STOP, BERTH_IDLE_NEVER } BerthIdleAction;

typedef struct {
    guint accel;               /* BerthAccel */
    guint64 memory;            /* of the guest, bytes; 0: half of the host's, at most 8 GiB */
    guint64 swap;              /* in a distro's memory, compressed, bytes; 0: none */
    guint cpus;                /* 0: all of the host's */
    guint64 disk_size;         /* apparent size of a new image, bytes */
    char *distro_list;         /* URL of the public list of distros to install; or NULL */
    char **distro_lists;       /* URLs of the user's own lists */
    guint64 cache_size;        /* of the image cache for imports, bytes; 0: no cache */
    guint mtu;                 /* of the guest's eth0, bytes */
    bool ports;                /* forward the guest's listening ports to localhost */
    char *resolv_conf;         /* path: the upstream name servers; NULL: none */
    char *ports_ignore;        /* TCP ports not forwarded automatically, "22,25"; or NULL */
    char *ports_udp;           /* UDP ports forwarded automatically, or NULL */
    bool ports_notify;         /* notices of new ports in sessions */
    char *publish;             /* rules (rule.h), for the host's network; or NULL */
    char *host_ports;          /* ports of the host's loopback open to the distro; NULL: none */
    bool isolated;             /* no access to the host */
    char *outbound;            /* allow list of addresses; NULL: all */
    bool owner_only;           /* other users of the host cannot connect to forwarded ports */
    bool share_home;           /* distros see the user's home directory */
    bool host_commands;        /* berth-host in the distro runs commands of the host */
    bool host_urls;            /* xdg-open in the distro opens URLs on the host */
    bool host_clipboard;       /* berth-copy and berth-paste reach the host's clipboard */
    bool host_ssh_agent;       /* the distro's programs reach the host's ssh agent */
    bool host_gpg_agent;       /* the same of gpg's */
    guint boot_timeout_sec;    /* until the guest's agent answers */
    guint init_timeout_sec;    /* until sessions stop waiting for the guest's init */
    guint stop_timeout_sec;    /* until an orderly power-off is forced */
    guint idle;                /* BerthIdleAction */
    guint idle_timeout_sec;    /* without activity, until then */
    guint park_after_sec;      /* suspended, until then its memory is parked; 0: never by itself */
    char *checkpoint;          /* checkpoint.h; or NULL */
    guint64 log_size;          /* of a distro's console log, bytes */
    char *kernel;              /* path, or NULL: the one that came with berth */
    char *kernel_command_line; /* words to append, or NULL */
    char *emulator;            /* name on PATH or path, or NULL: the machine template's */
} BerthSettings;

extern const BerthField berth_settings_fields[];

/* The environment variable of the setting @key; free with g_free. */
char *berth_settings_variable(const char *key);

/* The settings of @distro (NULL: of no particular one) from the text of berth.conf (NULL: no file)
 * and @environment ("K=V" strings, may be NULL). @origin names the file in messages. Errors:
 * BERTH_ERROR_INVALID, "config.syntax", "config.key", "config.value". */
BerthSettings *berth_settings_new(const char *distro, const char *text, const char *origin,
                                  const char *const *environment, GError **error);
void berth_settings_free(BerthSettings *settings);

/* Where a value comes from. */
typedef enum {
    BERTH_SETTING_FROM_DEFAULT,
    BERTH_SETTING_FROM_FILE,   /* [berth] */
    BERTH_SETTING_FROM_DISTRO, /* [distro NAME] */
    BERTH_SETTING_FROM_ENVIRONMENT,
} BerthSettingFrom;

typedef struct {
    BerthSettingFrom from;
    guint line; /* of the file; 0: not from there */
} BerthSettingOrigin;

/* An origin for each row of berth_settings_fields, all from the default. Free with g_free. */
BerthSettingOrigin *berth_setting_origins_new(void);

/* As berth_settings_new, and says in @ret_origins where each value comes from. */
BerthSettings *berth_settings_trace(const char *distro, const char *text, const char *origin,
                                    const char *const *environment, BerthSettingOrigin *ret_origins,
                                    GError **error);

/* A distro has at least this much memory, in bytes, whatever its setting. */
#define BERTH_SETTINGS_MEMORY_MIN (G_GUINT64_CONSTANT(128) << 20)

/* The mark (BOM) with which some editors begin a text, and @text behind it. */
#define BERTH_SETTINGS_MARK "\xEF\xBB\xBF"
const char *berth_settings_begin(const char *text);

/* Parse @text, which has no mark. Errors: "config.syntax", with the line. */
GKeyFile *berth_settings_parse(const char *text, const char *origin, GError **error);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BerthSettings, berth_settings_free)

/* "auto", "kvm" or "tcg". */
const char *berth_accel_word(BerthAccel accel);

/* The words of BerthIdleAction, NULL-terminated: "suspend", "stop", "never". */
extern const char *const berth_idle_words[];

G_END_DECLS
