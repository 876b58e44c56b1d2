/* SPDX-License-Identifier: MIT */
#include "settings.h"

#include "access.h"
#include "base/error.h"
#include "base/text.h"
#include "checkpoint.h"
#include "rule.h"
#include "settings_line.h"

#include <string.h>

#define MIB (G_GUINT64_CONSTANT(1) << 20)
#define GIB (G_GUINT64_CONSTANT(1) << 30)
#define TIB (G_GUINT64_CONSTANT(1) << 40)

#define COMMAND_LINE_MAX 1024

static const char *const accel_words[] = {"auto", "kvm", "tcg", NULL};
const char *const berth_idle_words[] = {"suspend", "stop", "never", NULL};

static bool check_ports(const char *text, GError **error)
{
    g_autoptr(GArray) ports = berth_rule_parse_ports(text, error);
    return ports != NULL;
}

static bool check_rules(const char *text, GError **error)
{
    g_autoptr(GArray) rules = berth_rule_parse_list(text, error);
    return rules != NULL;
}

static bool check_host_ports(const char *text, GError **error)
{
    BerthAccess access = {0};
    return berth_access_add_ports(&access, text, error);
}

/* Words, of which quotation marks hold those with spaces together. */
static bool check_command_line(const char *text, GError **error)
{
    guint marks = 0;
    bool plain = strlen(text) <= COMMAND_LINE_MAX;
    for (const char *at = text; *at != '\0'; at++) {
        marks += *at == '"';
        plain = plain && !g_ascii_iscntrl(*at);
    }
    if (plain && marks % 2 == 0)
        return true;
    g_autofree char *shown = berth_text_clean(text, 80);
    berth_error_set(error, BERTH_ERROR_INVALID, "config.value",
                    "write at most 1024 bytes, as in: loglevel=7 dyndbg=\"file ext4.c +p\"",
                    "\"%s\" is not a kernel command line", shown);
    return false;
}

static bool check_outbound(const char *text, GError **error)
{
    BerthAccess access = {0};
    return berth_access_add_outbound(&access, text, error);
}

static bool check_checkpoint(const char *text, GError **error)
{
    BerthCheckpointPlan plan;
    return berth_checkpoint_parse(text, &plan, error);
}

const BerthField berth_settings_fields[] = {
    {"accel", BERTH_FIELD_WORD, offsetof(BerthSettings, accel), "auto", .words = accel_words,
     .help =
         "how QEMU runs a distro's processors: KVM, or emulation (tcg); auto uses KVM if it works"},
    {"memory", BERTH_FIELD_SIZE, offsetof(BerthSettings, memory), "0", 0, 4 * TIB,
     .raised_to = BERTH_SETTINGS_MEMORY_MIN,
     .help = "limit of a distro's memory; 0 is half of this host's, at most 8G"},
    {"swap", BERTH_FIELD_SIZE, offsetof(BerthSettings, swap), "1G", 0, 4 * TIB,
     .help = "compressed swap (zram) in a distro's memory, which holds about three times as much; "
             "0 is none"},
    {"cpus", BERTH_FIELD_UINT, offsetof(BerthSettings, cpus), "0", 0, 255,
     .help = "processors of a distro; 0 is all of the host's"},
    {"disk-size", BERTH_FIELD_SIZE, offsetof(BerthSettings, disk_size), "1T", 64 * MIB, 16 * TIB,
     .flags = BERTH_FIELD_AT_ONCE | BERTH_FIELD_NEW,
     .help = "largest size of a new distro's disk, which takes only the space that it uses"},
    {"cache-size", BERTH_FIELD_SIZE, offsetof(BerthSettings, cache_size), "10G", 0, 16 * TIB,
     .flags = BERTH_FIELD_GLOBAL | BERTH_FIELD_AT_ONCE,
     .help = "disk space for images kept for the next import; 0 keeps none"},
    {"distro-list", BERTH_FIELD_STRING, offsetof(BerthSettings, distro_list),
     "https://raw.githubusercontent.com/microsoft/WSL/master/distributions/DistributionInfo.json",
     .flags = BERTH_FIELD_GLOBAL | BERTH_FIELD_AT_ONCE,
     .help = "URL of the public list of distros, in WSL's format; empty: none"},
    {"distro-lists", BERTH_FIELD_LIST, offsetof(BerthSettings, distro_lists),
     .flags = BERTH_FIELD_GLOBAL | BERTH_FIELD_AT_ONCE,
     .help =
         "URLs of your own lists of distros in that format, separated by ;, which take precedence"},
    {"mtu", BERTH_FIELD_UINT, offsetof(BerthSettings, mtu), "32768", 1280, 65520,
     .help = "MTU of a distro's eth0, bytes"},
    {"ports", BERTH_FIELD_BOOL, offsetof(BerthSettings, ports), "true",
     .help =
         "whether TCP ports on which a distro listens are forwarded from this host's localhost"},
    {"resolv-conf", BERTH_FIELD_STRING, offsetof(BerthSettings, resolv_conf), "/etc/resolv.conf",
     .help = "file that lists the name servers for distros; empty: none"},
    {"ports-ignore", BERTH_FIELD_STRING, offsetof(BerthSettings, ports_ignore),
     "22,25,53,111,631,5355", .check = check_ports,
     .help = "TCP ports that are not forwarded, except by berth forward and publish"},
    {"ports-udp", BERTH_FIELD_STRING, offsetof(BerthSettings, ports_udp), .check = check_ports,
     .help = "UDP ports that are forwarded while a distro listens on them"},
    {"ports-notify", BERTH_FIELD_BOOL, offsetof(BerthSettings, ports_notify), "true",
     .help = "show notices of new ports in a distro's terminals"},
    {"publish", BERTH_FIELD_STRING, offsetof(BerthSettings, publish), .check = check_rules,
     .help = "forwards for other hosts, as in 0.0.0.0:8080:80, 192.168.1.5:53:53/udp"},
    {"host-ports", BERTH_FIELD_STRING, offsetof(BerthSettings, host_ports),
     .check = check_host_ports,
     .help = "ports of this host's localhost that distros may reach, such as 5432, 11434; or all"},
    {"isolated", BERTH_FIELD_BOOL, offsetof(BerthSettings, isolated), "false",
     .help = "whether distros reach neither ports nor addresses of this host"},
    {"outbound", BERTH_FIELD_STRING, offsetof(BerthSettings, outbound), .check = check_outbound,
     .help =
         "the only addresses distros may reach: ADDRESS[/BITS][:PORT], ... or none; empty is any"},
    {"owner-only", BERTH_FIELD_BOOL, offsetof(BerthSettings, owner_only), "false",
     .help = "whether forwarded ports refuse connections of other users of this host"},
    {"share-home", BERTH_FIELD_BOOL, offsetof(BerthSettings, share_home), "true",
     .help = "show your home directory in distros, at /mnt/host"},
    {"host-commands", BERTH_FIELD_BOOL, offsetof(BerthSettings, host_commands), "false",
     .flags = BERTH_FIELD_AT_ONCE,
     .help =
         "whether berth-host in distros runs this host's commands as you; only this file counts"},
    {"host-urls", BERTH_FIELD_BOOL, offsetof(BerthSettings, host_urls), "false",
     .flags = BERTH_FIELD_AT_ONCE,
     .help = "whether xdg-open in distros opens URLs on this host; only this file counts"},
    {"host-clipboard", BERTH_FIELD_BOOL, offsetof(BerthSettings, host_clipboard), "false",
     .flags = BERTH_FIELD_AT_ONCE,
     .help = "whether berth-copy and berth-paste in distros reach this host's clipboard; only "
             "this file counts"},
    {"host-ssh-agent", BERTH_FIELD_BOOL, offsetof(BerthSettings, host_ssh_agent), "false",
     .flags = BERTH_FIELD_AT_ONCE,
     .help = "whether SSH_AUTH_SOCK in distros is your ssh agent; only this file counts"},
    {"host-gpg-agent", BERTH_FIELD_BOOL, offsetof(BerthSettings, host_gpg_agent), "false",
     .flags = BERTH_FIELD_AT_ONCE,
     .help = "whether gpg in distros uses your gpg agent's extra socket; only this file counts"},
    {"boot-timeout", BERTH_FIELD_UINT, offsetof(BerthSettings, boot_timeout_sec), "60", 1, 3600,
     .help = "seconds that a start waits for berth's agent in the distro"},
    {"init-timeout", BERTH_FIELD_UINT, offsetof(BerthSettings, init_timeout_sec), "60", 0, 3600,
     .help = "seconds that commands wait for the distro's init to finish starting"},
    {"stop-timeout", BERTH_FIELD_UINT, offsetof(BerthSettings, stop_timeout_sec), "30", 0, 3600,
     .help = "seconds an orderly power-off may take before it is forced"},
    {"idle", BERTH_FIELD_WORD, offsetof(BerthSettings, idle), "suspend", .words = berth_idle_words,
     .help = "what berth does with an idle distro: suspend it, stop it, or nothing (never)"},
    {"idle-timeout", BERTH_FIELD_UINT, offsetof(BerthSettings, idle_timeout_sec), "60", 1,
     30 * 24 * 3600, .help = "seconds without activity until a distro is idle"},
    {"park-after", BERTH_FIELD_UINT, offsetof(BerthSettings, park_after_sec), "600", 0,
     30 * 24 * 3600,
     .help =
         "seconds until a suspended distro's memory is written to a file; 0: only by berth park"},
    {"checkpoint", BERTH_FIELD_STRING, offsetof(BerthSettings, checkpoint),
     .check = check_checkpoint,
     .help = "automatic snapshots of a running distro that is used, such as every 30min keep 5 "
             "within 20G; off or empty: none"},
    {"log-size", BERTH_FIELD_SIZE, offsetof(BerthSettings, log_size), "1M", 4096, GIB,
     .help = "how much of a distro's console output is kept"},
    {"kernel", BERTH_FIELD_STRING, offsetof(BerthSettings, kernel),
     .help = "path of an uncompressed kernel to use instead of berth's own"},
    {"kernel-command-line", BERTH_FIELD_STRING, offsetof(BerthSettings, kernel_command_line),
     .check = check_command_line,
     .help = "words to add to the kernel's command line; the distro's /proc/cmdline shows them"},
    {"emulator", BERTH_FIELD_STRING, offsetof(BerthSettings, emulator),
     .help = "the QEMU program to use"},
    {NULL},
};

const char *berth_accel_word(BerthAccel accel)
{
    return accel_words[accel];
}

void berth_settings_free(BerthSettings *settings)
{
    if (settings == NULL)
        return;
    berth_fields_clear(berth_settings_fields, settings);
    g_free(settings);
}

/* What is loaded, and where the values come from. */
typedef struct {
    BerthSettings *settings;
    BerthSettingOrigin *origins; /* a row each; NULL: not wanted */
    const char *text;
    const char *origin;
    GKeyFile *file;
} Load;

static void note_origin(const Load *load, const BerthField *field, BerthSettingOrigin origin)
{
    if (load->origins != NULL && field != NULL)
        load->origins[field - berth_settings_fields] = origin;
}

/* Read every key of the groups of @distro (NULL: [berth]); errors name the line. */
static bool load_groups(const Load *load, const char *distro, GError **error)
{
    GKeyFile *file = load->file;
    g_auto(GStrv) groups = g_key_file_get_groups(file, NULL);
    for (gsize i = 0; groups[i] != NULL; i++) {
        if (!berth_settings_line_is_group(groups[i], distro))
            continue;
        g_auto(GStrv) keys = g_key_file_get_keys(file, groups[i], NULL, NULL);
        for (gsize k = 0; keys != NULL && keys[k] != NULL; k++) {
            const BerthField *field = berth_field_find(berth_settings_fields, keys[k]);
            if (distro != NULL && field != NULL && (field->flags & BERTH_FIELD_GLOBAL) != 0)
                continue;
            guint line = berth_settings_line_of(load->text, groups[i], keys[k]);
            g_autofree char *place = g_strdup_printf("%s:%u", load->origin, line);
            if (!berth_fields_load_key(berth_settings_fields, load->settings, file, groups[i],
                                       keys[k], place, error))
                return false;
            note_origin(load, field,
                        (BerthSettingOrigin){distro != NULL ? BERTH_SETTING_FROM_DISTRO
                                                            : BERTH_SETTING_FROM_FILE,
                                             line});
        }
    }
    return true;
}

/* The first line of @text that is none of a key file, from 1; 0 if none is by itself. */
static guint find_bad_line(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autoptr(GKeyFile) file = g_key_file_new();
    bool grouped = false;
    for (guint i = 0; lines[i] != NULL; i++) {
        g_autofree char *alone = g_strconcat(grouped ? "[g]\n" : "", lines[i], NULL);
        if (!g_key_file_load_from_data(file, alone, strlen(alone), G_KEY_FILE_NONE, NULL))
            return i + 1;
        grouped = grouped || g_strchug(lines[i])[0] == '[';
    }
    return 0;
}

GKeyFile *berth_settings_parse(const char *text, const char *origin, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) problem = NULL;
    if (g_key_file_load_from_data(file, text, strlen(text), G_KEY_FILE_NONE, &problem))
        return g_steal_pointer(&file);
    guint line = find_bad_line(text);
    g_autofree char *place = line != 0 ? g_strdup_printf("%s:%u", origin, line) : g_strdup(origin);
    g_autofree char *words = berth_text_clean(problem->message, 200);
    berth_error_set(error, BERTH_ERROR_INVALID, "config.syntax",
                    "groups are [berth] and [distro NAME], lines are KEY = VALUE", "%s: %s", place,
                    words);
    return NULL;
}

static bool load_file(Load *load, const char *distro, GError **error)
{
    g_autoptr(GKeyFile) file = berth_settings_parse(load->text, load->origin, error);
    load->file = file;
    return file != NULL && load_groups(load, NULL, error) &&
           (distro == NULL || load_groups(load, distro, error));
}

const char *berth_settings_begin(const char *text)
{
    return g_str_has_prefix(text, BERTH_SETTINGS_MARK) ? text + strlen(BERTH_SETTINGS_MARK) : text;
}

char *berth_settings_variable(const char *key)
{
    g_autofree char *upper = g_ascii_strup(key, -1);
    return g_strdup_printf("BERTH_%s", g_strdelimit(upper, "-", '_'));
}

static bool load_environment(const Load *load, const char *const *environment, GError **error)
{
    for (const BerthField *field = berth_settings_fields; field->name != NULL; field++) {
        g_autofree char *name = berth_settings_variable(field->name);
        const char *text = g_environ_getenv((char **)environment, name);
        if (text == NULL)
            continue;
        note_origin(load, field, (BerthSettingOrigin){BERTH_SETTING_FROM_ENVIRONMENT, 0});
        if (berth_field_parse(field, load->settings, text, error))
            continue;
        g_prefix_error(error, "environment: %s: ", name);
        return false;
    }
    return true;
}

BerthSettings *berth_settings_new(const char *distro, const char *text, const char *origin,
                                  const char *const *environment, GError **error)
{
    return berth_settings_trace(distro, text, origin, environment, NULL, error);
}

BerthSettingOrigin *berth_setting_origins_new(void)
{
    return g_new0(BerthSettingOrigin, G_N_ELEMENTS(berth_settings_fields));
}

BerthSettings *berth_settings_trace(const char *distro, const char *text, const char *origin,
                                    const char *const *environment, BerthSettingOrigin *ret_origins,
                                    GError **error)
{
    g_autoptr(BerthSettings) settings = g_new0(BerthSettings, 1);
    berth_fields_init(berth_settings_fields, settings);

    Load load = {.settings = settings,
                 .origins = ret_origins,
                 .text = text != NULL ? berth_settings_begin(text) : NULL,
                 .origin = origin};
    if (text != NULL && !load_file(&load, distro, error))
        return NULL;
    if (environment != NULL && !load_environment(&load, environment, error))
        return NULL;
    return g_steal_pointer(&settings);
}
